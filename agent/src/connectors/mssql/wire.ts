/** What COLMETADATA says of a column, as tedious hands it on, and the SQL type that this is [MS-TDS 2.2.5.4, 2.2.7.4]. */
import type { SqlServerDeclaration } from "@sallyport/shared/rows/types.ts";

/** The part of tedious' column metadata that is read here. */
export interface WireColumn {
  readonly colName: string;
  /** The name of tedious' type object: `IntN`, `NVarChar`, … */
  readonly type: { readonly name: string };
  readonly userType: number;
  readonly dataLength?: number | undefined;
  readonly precision?: number | undefined;
  readonly scale?: number | undefined;
  readonly collation?: { readonly codepage?: string | undefined } | undefined;
  readonly udtInfo?: { readonly typeName?: string | undefined } | undefined;
}

/** A length of 0xFFFF announces a value in pieces (PLP): `varchar(max)` and its like. */
const PLP_LENGTH = 0xffff;
/** BINARY(8) with this user type is rowversion; nothing else tells. */
const ROWVERSION_USER_TYPE = 80;

const FIXED: Readonly<Record<string, string>> = {
  TinyInt: "tinyint",
  SmallInt: "smallint",
  Int: "int",
  BigInt: "bigint",
  Bit: "bit",
  BitN: "bit",
  Real: "real",
  Float: "float",
  Money: "money",
  SmallMoney: "smallmoney",
  DateTime: "datetime",
  SmallDateTime: "smalldatetime",
  Date: "date",
  UniqueIdentifier: "uniqueidentifier",
  Text: "text",
  NText: "ntext",
  Image: "image",
  Xml: "xml",
};
const BY_LENGTH: Readonly<Record<string, Readonly<Record<number, string>>>> = {
  IntN: { 1: "tinyint", 2: "smallint", 4: "int", 8: "bigint" },
  FloatN: { 4: "real", 8: "float" },
  MoneyN: { 4: "smallmoney", 8: "money" },
  DateTimeN: { 4: "smalldatetime", 8: "datetime" },
};
const SCALED: Readonly<Record<string, string>> = {
  Time: "time",
  DateTime2: "datetime2",
  DateTimeOffset: "datetimeoffset",
};
const EXACT: Readonly<Record<string, string>> = { DecimalN: "decimal", NumericN: "numeric" };
const SIZED: Readonly<Record<string, readonly [name: string, unitBytes: number]>> = {
  VarChar: ["varchar", 1],
  Char: ["char", 1],
  NVarChar: ["nvarchar", 2],
  NChar: ["nchar", 2],
  VarBinary: ["varbinary", 1],
  Binary: ["binary", 1],
};

/** The declared type of a result's column; `sql_variant` and the unknown keep a name that no column type has. */
export function declarationOf(wire: WireColumn): SqlServerDeclaration {
  const { name } = wire.type;
  const length = wire.dataLength ?? 0;
  const { precision, scale } = wire;
  if (wire.userType === ROWVERSION_USER_TYPE && length === 8) return { name: "rowversion" };
  if (FIXED[name] !== undefined) return { name: FIXED[name] };
  if (BY_LENGTH[name] !== undefined) return { name: BY_LENGTH[name][length] ?? "unknown" };
  if (SCALED[name] !== undefined) return { name: SCALED[name], scale };
  if (EXACT[name] !== undefined) return { name: EXACT[name], precision, scale };
  const sized = SIZED[name];
  if (sized !== undefined) return { name: sized[0], length: length === PLP_LENGTH ? "max" : length / sized[1] };
  if (name === "UDT") return { name: wire.udtInfo?.typeName?.toLowerCase() ?? "unknown" };
  return { name: name === "Variant" ? "sql_variant" : "unknown" };
}
