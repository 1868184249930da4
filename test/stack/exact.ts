/** `dbo.Exact`: one column of each kind of value, at its extremes; the literals of `test/vectors/exact.csv` are the oracle. */
import { readFileSync } from "node:fs";

/** Columns in the CSV's order, with their declared types. */
export const EXACT_COLUMNS = {
  Id: "int",
  Amount: "decimal(38,10)",
  Whole: "decimal(38,0)",
  Price: "money",
  Big: "bigint",
  Number: "int",
  Small: "tinyint",
  Flag: "bit",
  Ratio: "float",
  Day: "date",
  Clock: "time(7)",
  Moment: "datetime2(7)",
  Stamp: "datetime2(3)",
  Zoned: "datetimeoffset(7)",
  Code: "uniqueidentifier",
  Bytes: "varbinary(max)",
  Text: "nvarchar(max)",
  Ansi: "varchar(40)",
} as const;
export type ExactColumn = keyof typeof EXACT_COLUMNS;
export type ExactRow = Readonly<Record<ExactColumn, string | null>>;

const FILE = new URL("../vectors/exact.csv", import.meta.url);

/** The literals: null where a field is empty, '' where it is quoted and empty. */
export function readExactRows(): ExactRow[] {
  const [header, ...rows] = parseCsv(readFileSync(FILE, "utf8"));
  const names = Object.keys(EXACT_COLUMNS);
  if (header?.join() !== names.join()) throw new Error("exact.csv has other columns than EXACT_COLUMNS");
  return rows.map((row) => Object.fromEntries(names.map((name, index) => [name, row[index] ?? null])) as ExactRow);
}

/** RFC 4180, where an unquoted empty field is null. */
export function parseCsv(text: string): (string | null)[][] {
  const rows: (string | null)[][] = [];
  let row: (string | null)[] = [];
  const field = /(?:"((?:[^"]|"")*)"|([^",\n]*))(,|\n|$)/gy;
  for (let match = field.exec(text); match !== null && match[0] !== ""; match = field.exec(text)) {
    row.push(match[1]?.replaceAll('""', '"') ?? (match[2] === "" ? null : (match[2] ?? null)));
    if (match[3] === ",") continue;
    rows.push(row);
    row = [];
  }
  return rows;
}

/** T-SQL that makes the table and fills it. */
export function exactSql(rows: readonly ExactRow[], schema = "dbo"): string {
  const columns = Object.entries(EXACT_COLUMNS).map(
    ([name, type]) => `[${name}] ${type}${name === "Id" ? " NOT NULL PRIMARY KEY" : " NULL"}`,
  );
  const inserts = rows.map((row) => {
    const values = Object.entries(EXACT_COLUMNS).map(([name, type]) => literal(row[name as ExactColumn], type));
    return `INSERT INTO [${schema}].[Exact] VALUES (${values.join(", ")});`;
  });
  return [`CREATE TABLE [${schema}].[Exact] (${columns.join(", ")});`, ...inserts].join("\n");
}

function literal(text: string | null, type: string): string {
  if (text === null) return "NULL";
  if (type.startsWith("varbinary")) return `0x${text}`;
  return `CAST(N'${text.replaceAll("'", "''")}' AS ${type})`;
}
