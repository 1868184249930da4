/** A statement with its parameters, ready for `sp_executesql`. */
import type { Connection, Request } from "tedious";

export type TediousType = Parameters<Request["addParameter"]>[1];

export interface Parameter {
  readonly name: string;
  readonly type: TediousType;
  readonly value: unknown;
  readonly length?: number;
}

export interface Statement {
  readonly sql: string;
  readonly parameters: readonly Parameter[];
}

/** Sends it: with `sp_executesql`, so that text and values never mix. */
export function execute(connection: Connection, request: Request, parameters: readonly Parameter[]): void {
  for (const { name, type, value, length } of parameters) {
    request.addParameter(name, type, value, length === undefined ? {} : { length });
  }
  connection.execSql(request);
}

/** A name as T-SQL takes any name: `[Order]]s]`. */
export const quoteName = (name: string): string => `[${name.replaceAll("]", "]]")}]`;

/** A table as a statement names it. */
export const quoteTable = ({ schema, name }: { readonly schema: string; readonly name: string }): string =>
  `${quoteName(schema)}.${quoteName(name)}`;
