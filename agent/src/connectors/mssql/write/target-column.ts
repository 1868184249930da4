/** A column that is written to: how its values travel, and how they wait in the temporary table. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { type SqlServerDeclaration, sqlServerTypeText } from "@sallyport/shared/rows/types.ts";
import { TYPES } from "tedious";
import type { TediousType } from "../statement.ts";

/** What a bulk load says of a column [MS-TDS 2.2.7.4]. */
export interface Wire {
  readonly type: TediousType;
  readonly length?: number;
  readonly precision?: number;
  readonly scale?: number;
  /** Text and binary without an upper bound travel in pieces. */
  readonly isMax: boolean;
}

export interface TargetColumn {
  readonly name: string;
  readonly declared: SqlServerDeclaration;
  readonly nullable: boolean;
  readonly collation: string | undefined;
  /** Number of the code page of a `char` or `varchar`; undefined for any other. */
  readonly codePage: number | undefined;
}

/** What tedious takes for "more than fits a row": it then says `max`. */
const BEYOND = 8001;
const MOST_NVARCHAR = 4000;

const PLAIN: Readonly<Record<string, TediousType>> = {
  bit: TYPES.Bit,
  tinyint: TYPES.TinyInt,
  smallint: TYPES.SmallInt,
  int: TYPES.Int,
  bigint: TYPES.BigInt,
  real: TYPES.Real,
  float: TYPES.Float,
  money: TYPES.Money,
  smallmoney: TYPES.SmallMoney,
  date: TYPES.Date,
  datetime: TYPES.DateTime,
  smalldatetime: TYPES.SmallDateTime,
  uniqueidentifier: TYPES.UniqueIdentifier,
};
const SCALED: Readonly<Record<string, TediousType>> = {
  time: TYPES.Time,
  datetime2: TYPES.DateTime2,
  datetimeoffset: TYPES.DateTimeOffset,
};
const EXACT: Readonly<Record<string, TediousType>> = { decimal: TYPES.Decimal, numeric: TYPES.Numeric };
export const TEXT = new Set(["char", "varchar", "nchar", "nvarchar", "sysname", "text", "ntext", "xml", "json"]);
export const BINARY = new Set(["binary", "varbinary", "image"]);
/** Types of old, and of structure, wait as what they are made from; the server makes them of it in the last step. */
const WAITS_AS: Readonly<Record<string, string>> = {
  text: "nvarchar(max)",
  ntext: "nvarchar(max)",
  xml: "nvarchar(max)",
  json: "nvarchar(max)",
  image: "varbinary(max)",
  sysname: "nvarchar(128)",
};

/** @throws request.invalid for a type that nothing is written into: rowversion, sql_variant, spatial types. */
export function wireOf({ name, declared }: Pick<TargetColumn, "name" | "declared">): Wire {
  const { precision = 18, scale, length } = declared;
  const plain = PLAIN[declared.name];
  if (plain !== undefined) return { type: plain, isMax: false };
  const scaled = SCALED[declared.name];
  if (scaled !== undefined) return { type: scaled, scale: scale ?? 7, isMax: false };
  const exact = EXACT[declared.name];
  if (exact !== undefined) return { type: exact, precision, scale: scale ?? 0, isMax: false };
  if (TEXT.has(declared.name)) {
    const characters = declared.name === "sysname" ? 128 : length;
    const isMax = typeof characters !== "number" || characters > MOST_NVARCHAR;
    return { type: TYPES.NVarChar, length: isMax ? BEYOND : characters, isMax };
  }
  if (BINARY.has(declared.name)) {
    const isMax = typeof length !== "number";
    return { type: TYPES.VarBinary, length: isMax ? BEYOND : length, isMax };
  }
  throw new SallyportError("request.invalid", `Nothing can be written into ${name} (${sqlServerTypeText(declared)}).`, {
    column: name,
    source: sqlServerTypeText(declared),
  });
}

/** The type of the column in the temporary table: the target's own, in its own collation. */
export function waitingType({ declared, collation }: TargetColumn): string {
  const type = WAITS_AS[declared.name] ?? sqlServerTypeText(declared);
  return collation === undefined || !TEXT.has(declared.name) ? type : `${type} COLLATE ${collation}`;
}
