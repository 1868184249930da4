/** The small words of a policy file: sizes, dates, names with patterns, declared SQL types. */
import { z } from "zod";
import { nameId } from "./ids.ts";

const UNITS = { B: 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 } as const;

/** A number of bytes: `1048576`, or `20GiB`. Powers of 1024 only: `20GB` would be read in two ways. */
export const byteSize = z
  .union(
    [z.int().min(1).max(1e15), z.string().regex(/^[1-9][0-9]{0,5}(B|KiB|MiB|GiB|TiB)$/)],
    "use a number of bytes, or one with KiB, MiB, GiB or TiB",
  )
  .transform((size) => {
    if (typeof size === "number") return size;
    const unit = size.replace(/^[0-9]+/, "") as keyof typeof UNITS;
    return Number.parseInt(size, 10) * UNITS[unit];
  });

export const nameOfConnection = nameId;

/** Rules are named in the journal. */
export const ruleId = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, "use 1 to 64 letters, digits, . _ or -");

/** The last day of a grant, in the connection's time zone. */
export const until = z
  .string()
  .regex(/^[0-9]{4}-[0-9]{2}-[0-9]{2}$/, "use a date, for example 2027-03-31")
  .refine((text) => {
    const day = new Date(`${text}T00:00:00Z`);
    return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(text);
  }, "there is no such day");

/** Who caused a request: an API key, an Entra application or a pull, by its id. */
export const caller = z.string().regex(/^(key|app|pull):[A-Za-z0-9_-]{1,100}$/, "use key:…, app:… or pull:… and an id");

/** `schema.table`, where the last part may hold `*` for any run of characters but a dot. */
export const tablePattern = z
  .string()
  .max(257)
  .regex(/^[^.[\]"'*\p{Cc}]{1,128}\.[^.[\]"'\p{Cc}]{1,128}$/u, "use schema.table; `*` only after the dot");

const digits = "[1-9][0-9]{0,3}";
const SQL_TYPE = new RegExp(
  [
    "^(?:bit|tinyint|smallint|int|bigint|real|float|money|smallmoney|date|datetime|smalldatetime|uniqueidentifier",
    "(?:decimal|numeric)\\([1-9][0-9]?(?:, ?[0-9]{1,2})?\\)",
    `(?:varchar|nvarchar|varbinary)\\((?:${digits}|max)\\)`,
    `(?:char|nchar|binary)\\(${digits}\\)`,
    "(?:time|datetime2|datetimeoffset)(?:\\([0-7]\\))?)$",
  ].join("|"),
);

/** A parameter's type as T-SQL declares it, in lower case: `nvarchar(100)`, `decimal(18,4)`, `date`. */
export const declaredType = z
  .string()
  .max(40)
  .regex(SQL_TYPE, "not a SQL type that a parameter can have; write it in lower case, with its length");
