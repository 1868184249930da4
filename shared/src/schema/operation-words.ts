/** The small words of operations: names of the source, and values bound to parameters. */
import { z } from "zod";

/** `schema.table`, each part a regular SQL Server identifier without dots or brackets. */
export const tableName = z
  .string()
  .max(257)
  .regex(/^[^.[\]"'\p{Cc}]{1,128}\.[^.[\]"'\p{Cc}]{1,128}$/u, "use schema.table");

export const columnName = z.string().regex(/^[^\p{Cc}]{1,128}$/u);

/** A value bound to a statement's parameter. Decimals, 64-bit integers, times and binary travel as text. */
export const parameterValue = z.union([z.string().max(65536), z.number(), z.boolean(), z.null()]);
export type ParameterValue = z.infer<typeof parameterValue>;
