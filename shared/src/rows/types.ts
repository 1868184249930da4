/**
 * What a column can hold, and the one table from SQL Server's declared types to it.
 * Each kind is one Arrow type that holds every value of its source exactly (docs/connectors/mssql.md, "Types").
 */

export type IntBits = 8 | 16 | 32 | 64;
export type TimeUnit = "ms" | "us" | "ns";

/** What one value can be by itself, and an item of a list. */
export type ItemType =
  | { readonly kind: "bool" }
  | { readonly kind: "int"; readonly bits: IntBits; readonly signed: boolean }
  | { readonly kind: "float"; readonly bits: 32 | 64 }
  /** Decimal128: `precision` 1 to 38 digits, `scale` of them after the point. */
  | { readonly kind: "decimal"; readonly precision: number; readonly scale: number }
  | { readonly kind: "utf8" }
  | { readonly kind: "binary" }
  /** Date32: days since 1970-01-01. */
  | { readonly kind: "date" }
  /** Time64: nanoseconds since midnight. */
  | { readonly kind: "time" }
  /** Without a zone, as the source has none. */
  | { readonly kind: "timestamp"; readonly unit: TimeUnit };

export type ColumnType =
  | ItemType
  /** `uuid`: 16 bytes in RFC 9562 order. */
  | { readonly kind: "fixedBinary"; readonly bytes: number; readonly uuid?: true }
  /**
   * Struct { instant: Timestamp(unit), offset_minutes: Int16 }. The instant is in UTC and says so by its name alone: with a
   * zone in the type, DuckDB and others read it as microseconds and cut the last digit.
   */
  | { readonly kind: "timestampOffset"; readonly unit: "us" | "ns" }
  /** Any number of values, none of them NULL; their order is the source's, which may promise none. */
  | { readonly kind: "list"; readonly of: ItemType };

export type ColumnKind = ColumnType["kind"];

export interface Column {
  readonly name: string;
  readonly type: ColumnType;
  readonly nullable: boolean;
  /** The type as its source declares it, e.g. `decimal(38,10)`; the Arrow field's metadata `sallyport.source`. */
  readonly source: string;
  /** Further metadata of the Arrow field. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** A type as SQL Server declares it (`sys.columns`, or COLMETADATA). */
export interface SqlServerDeclaration {
  /** `sys.types.name`, lower case: `decimal`, `nvarchar`, `datetime2`, … */
  readonly name: string;
  readonly precision?: number | undefined;
  readonly scale?: number | undefined;
  /** Characters of `char` and `nchar` types, bytes of binary ones; `max` for the large ones. */
  readonly length?: number | "max" | undefined;
}

export interface SqlServerTypeOptions {
  /** `text`: timestamps of 100 ns become ISO text, for values outside 1677 to 2262 (the pull's option). */
  readonly timestamps?: "exact" | "text" | undefined;
}

interface SqlServerRow {
  readonly type: ColumnType | ((declared: SqlServerDeclaration, options: SqlServerTypeOptions) => ColumnType);
  /** Which of its numbers belong to the type's text. */
  readonly shows?: "length" | "scale" | "precision,scale";
}

const utf8: ColumnType = { kind: "utf8" };
const binary: ColumnType = { kind: "binary" };
const rowversion: ColumnType = { kind: "fixedBinary", bytes: 8 };
const milliseconds: ColumnType = { kind: "timestamp", unit: "ms" };
const int = (bits: IntBits, signed = true): ColumnType => ({ kind: "int", bits, signed });
const decimal = (declared: SqlServerDeclaration): ColumnType => ({
  kind: "decimal",
  precision: declared.precision ?? 18,
  scale: declared.scale ?? 0,
});
// 100 ns fit only nanoseconds, and nanoseconds span only 1677 to 2262: coarser scales take microseconds.
const unitOf = (scale = 7): "us" | "ns" => (scale > 6 ? "ns" : "us");

/** What is missing here (`sql_variant`, `vector`, …) is refused: it has no one Arrow type that holds it exactly. */
const SQL_SERVER = {
  bit: { type: { kind: "bool" } },
  tinyint: { type: int(8, false) },
  smallint: { type: int(16) },
  int: { type: int(32) },
  bigint: { type: int(64) },
  real: { type: { kind: "float", bits: 32 } },
  float: { type: ({ precision = 53 }) => ({ kind: "float", bits: precision <= 24 ? 32 : 64 }) },
  decimal: { type: decimal, shows: "precision,scale" },
  numeric: { type: decimal, shows: "precision,scale" },
  money: { type: { kind: "decimal", precision: 19, scale: 4 } },
  smallmoney: { type: { kind: "decimal", precision: 10, scale: 4 } },
  date: { type: { kind: "date" } },
  time: { type: { kind: "time" }, shows: "scale" },
  datetime: { type: milliseconds },
  smalldatetime: { type: milliseconds },
  datetime2: {
    type: ({ scale }, { timestamps }) =>
      unitOf(scale) === "ns" && timestamps === "text" ? utf8 : { kind: "timestamp", unit: unitOf(scale) },
    shows: "scale",
  },
  datetimeoffset: {
    type: ({ scale }, { timestamps }) =>
      unitOf(scale) === "ns" && timestamps === "text" ? utf8 : { kind: "timestampOffset", unit: unitOf(scale) },
    shows: "scale",
  },
  uniqueidentifier: { type: { kind: "fixedBinary", bytes: 16, uuid: true } },
  rowversion: { type: rowversion },
  timestamp: { type: rowversion },
  char: { type: utf8, shows: "length" },
  varchar: { type: utf8, shows: "length" },
  nchar: { type: utf8, shows: "length" },
  nvarchar: { type: utf8, shows: "length" },
  sysname: { type: utf8 },
  text: { type: utf8 },
  ntext: { type: utf8 },
  xml: { type: utf8 },
  json: { type: utf8 },
  binary: { type: binary, shows: "length" },
  varbinary: { type: binary, shows: "length" },
  image: { type: binary },
  hierarchyid: { type: binary },
  geography: { type: binary },
  geometry: { type: binary },
} as const satisfies Record<string, SqlServerRow>;

/** The types that are carried, by name: what the documentation's table is made of. */
export const SQL_SERVER_TYPES: readonly string[] = Object.keys(SQL_SERVER);

const rowOf = (name: string): SqlServerRow | undefined =>
  Object.hasOwn(SQL_SERVER, name) ? SQL_SERVER[name as keyof typeof SQL_SERVER] : undefined;

/** The column type that holds every value of a SQL Server type exactly, or undefined where there is none (`sql_variant`). */
export function sqlServerType(
  declared: SqlServerDeclaration,
  options: SqlServerTypeOptions = {},
): ColumnType | undefined {
  const type = rowOf(declared.name)?.type;
  return typeof type === "function" ? type(declared, options) : type;
}

/** The declared type as T-SQL writes it, for `Column.source`: `decimal(38,10)`, `nvarchar(max)`, `int`. */
export function sqlServerTypeText(declared: SqlServerDeclaration): string {
  const { name, precision = 18, scale, length } = declared;
  switch (rowOf(name)?.shows) {
    case "length":
      return length === undefined ? name : `${name}(${length})`;
    case "scale":
      return `${name}(${scale ?? 7})`;
    case "precision,scale":
      return `${name}(${precision},${scale ?? 0})`;
    default:
      return name;
  }
}
