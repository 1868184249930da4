/**
 * SQL Server's types, and how each value is kept in SQLite so that comparisons, ORDER BY and indexes are SQLite's own:
 *
 * | type                              | kept as                                                              |
 * |-----------------------------------|----------------------------------------------------------------------|
 * | bit … bigint                      | INTEGER                                                              |
 * | decimal, numeric                  | BLOB of 16 bytes, big endian, unscaled value + 2^127                 |
 * | money, smallmoney                 | INTEGER, ten-thousandths                                             |
 * | real, float                       | REAL                                                                 |
 * | date                              | INTEGER, days since 0001-01-01                                       |
 * | time                              | INTEGER, 100 ns since midnight                                       |
 * | datetime2                         | INTEGER, 100 ns since 0001-01-01                                     |
 * | datetime                          | INTEGER, three-hundredths of a second since 1900-01-01               |
 * | smalldatetime                     | INTEGER, minutes since 1900-01-01                                    |
 * | datetimeoffset                    | BLOB of 10 bytes: UTC 100 ns since 0001-01-01, offset minutes + 840  |
 * | char, varchar, nchar, … xml       | TEXT; char and nchar without their padding                           |
 * | binary, varbinary, image          | BLOB                                                                 |
 * | uniqueidentifier                  | BLOB of 16 bytes in the order in which SQL Server compares           |
 * | rowversion                        | INTEGER                                                              |
 */
export type TypeName =
  | "bit"
  | "tinyint"
  | "smallint"
  | "int"
  | "bigint"
  | "decimal"
  | "numeric"
  | "money"
  | "smallmoney"
  | "real"
  | "float"
  | "date"
  | "time"
  | "datetime2"
  | "datetimeoffset"
  | "datetime"
  | "smalldatetime"
  | "char"
  | "varchar"
  | "text"
  | "nchar"
  | "nvarchar"
  | "ntext"
  | "xml"
  | "binary"
  | "varbinary"
  | "image"
  | "uniqueidentifier"
  | "rowversion";

/** A value as SQLite keeps it; see the table above. */
export type SqlValue = null | number | bigint | string | Uint8Array;

export interface Collation {
  readonly name: string;
  /** The five bytes of TYPE_INFO [MS-TDS 2.2.5.1.2]. */
  readonly wire: readonly number[];
  readonly sqlite: "NOCASE" | "BINARY";
  readonly encoding: "windows-1252" | "utf-8";
}

export interface SqlType {
  readonly name: TypeName;
  /** Characters of n-types, bytes of the other strings and binaries; MAX for (max). */
  readonly length: number;
  readonly precision: number;
  readonly scale: number;
  readonly collation: Collation;
}

export const MAX = -1;

export const DEFAULT_COLLATION: Collation = {
  name: "SQL_Latin1_General_CP1_CI_AS",
  wire: [0x09, 0x04, 0xd0, 0x00, 0x34],
  sqlite: "NOCASE",
  encoding: "windows-1252",
};

/** The collations that COLLATE accepts. */
export const COLLATIONS: readonly Collation[] = [
  DEFAULT_COLLATION,
  { name: "Latin1_General_CI_AS", wire: [0x09, 0x04, 0xd0, 0x00, 0x00], sqlite: "NOCASE", encoding: "windows-1252" },
  { name: "Latin1_General_CS_AS", wire: [0x09, 0x04, 0xc0, 0x00, 0x00], sqlite: "BINARY", encoding: "windows-1252" },
  {
    name: "SQL_Latin1_General_CP1_CS_AS",
    wire: [0x09, 0x04, 0xc0, 0x00, 0x33],
    sqlite: "BINARY",
    encoding: "windows-1252",
  },
  { name: "Latin1_General_BIN2", wire: [0x09, 0x04, 0x00, 0x02, 0x00], sqlite: "BINARY", encoding: "windows-1252" },
  { name: "Latin1_General_100_BIN2", wire: [0x09, 0x04, 0x00, 0x22, 0x00], sqlite: "BINARY", encoding: "windows-1252" },
  {
    name: "Latin1_General_100_CI_AS_SC_UTF8",
    wire: [0x09, 0x04, 0xd0, 0x24, 0x00],
    sqlite: "NOCASE",
    encoding: "utf-8",
  },
  { name: "Latin1_General_100_BIN2_UTF8", wire: [0x09, 0x04, 0x00, 0x26, 0x00], sqlite: "BINARY", encoding: "utf-8" },
];

interface TypeRow {
  /** Higher wins when two types meet in an expression. */
  readonly precedence: number;
  readonly family: "integer" | "decimal" | "money" | "float" | "time" | "string" | "binary" | "guid" | "rowversion";
  readonly sqlite: "INTEGER" | "REAL" | "TEXT" | "BLOB";
  readonly systemId: number;
  readonly userId: number;
  readonly maxLength: number;
}

const row = (
  precedence: number,
  family: TypeRow["family"],
  sqlite: TypeRow["sqlite"],
  systemId: number,
  maxLength: number,
  userId = systemId,
): TypeRow => ({ precedence, family, sqlite, systemId, userId, maxLength });

/** Precedence [T-SQL "Data type precedence"], and system_type_id, user_type_id and max_length of sys.types. */
export const TYPES: Readonly<Record<TypeName, TypeRow>> = {
  datetimeoffset: row(30, "time", "BLOB", 43, 10),
  datetime2: row(29, "time", "INTEGER", 42, 8),
  datetime: row(28, "time", "INTEGER", 61, 8),
  smalldatetime: row(27, "time", "INTEGER", 58, 4),
  date: row(26, "time", "INTEGER", 40, 3),
  time: row(25, "time", "INTEGER", 41, 5),
  float: row(24, "float", "REAL", 62, 8),
  real: row(23, "float", "REAL", 59, 4),
  decimal: row(22, "decimal", "BLOB", 106, 17),
  numeric: row(22, "decimal", "BLOB", 108, 17),
  money: row(21, "money", "INTEGER", 60, 8),
  smallmoney: row(20, "money", "INTEGER", 122, 4),
  bigint: row(19, "integer", "INTEGER", 127, 8),
  int: row(18, "integer", "INTEGER", 56, 4),
  smallint: row(17, "integer", "INTEGER", 52, 2),
  tinyint: row(16, "integer", "INTEGER", 48, 1),
  bit: row(15, "integer", "INTEGER", 104, 1),
  ntext: row(14, "string", "TEXT", 99, 16),
  text: row(13, "string", "TEXT", 35, 16),
  image: row(12, "binary", "BLOB", 34, 16),
  rowversion: row(11, "rowversion", "INTEGER", 189, 8),
  uniqueidentifier: row(10, "guid", "BLOB", 36, 16),
  xml: row(9, "string", "TEXT", 241, -1),
  nvarchar: row(8, "string", "TEXT", 231, 8000),
  nchar: row(7, "string", "TEXT", 239, 8000),
  varchar: row(6, "string", "TEXT", 167, 8000),
  char: row(5, "string", "TEXT", 175, 8000),
  varbinary: row(4, "binary", "BLOB", 165, 8000),
  binary: row(3, "binary", "BLOB", 173, 8000),
};

/** A type with the defaults of T-SQL where length, precision or scale are not given. */
export function sqlType(name: TypeName, given: Partial<Omit<SqlType, "name">> = {}): SqlType {
  const scaled = name === "time" || name === "datetime2" || name === "datetimeoffset";
  const exact = name === "decimal" || name === "numeric";
  return {
    name,
    length: given.length ?? (name === "text" || name === "ntext" || name === "image" || name === "xml" ? MAX : 1),
    precision: given.precision ?? (exact ? 18 : 0),
    scale: given.scale ?? (scaled ? 7 : name.endsWith("money") ? 4 : 0),
    collation: given.collation ?? DEFAULT_COLLATION,
  };
}

export const familyOf = (type: SqlType): TypeRow["family"] => TYPES[type.name].family;

export const isString = (type: SqlType): boolean => TYPES[type.name].family === "string";

/** nchar, nvarchar, ntext and xml: two bytes a character on the wire. */
export const isUnicode = (type: SqlType): boolean => type.name.startsWith("n") || type.name === "xml";

/** The type as T-SQL writes it, for messages and for `sys.columns`. */
export function describe(type: SqlType): string {
  const { name } = type;
  if (name === "decimal" || name === "numeric") return `${name}(${type.precision},${type.scale})`;
  if (name === "time" || name === "datetime2" || name === "datetimeoffset") return `${name}(${type.scale})`;
  if (/char$|binary$/.test(name)) return `${name}(${type.length === MAX ? "max" : type.length})`;
  return name;
}
