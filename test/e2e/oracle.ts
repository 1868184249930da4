/**
 * What the sample must look like at the other end, said independently of the product: the data set's own Parquet file,
 * and the literals of exact.csv, both read by DuckDB.
 */
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { EXACT_COLUMNS, type ExactColumn, type ExactRow, readExactRows } from "../stack/exact.ts";
import { FLIGHTS_FILE } from "../stack/flights.ts";

/** DuckDB's type for each declared SQL Server type of dbo.Exact. */
const DUCKDB_TYPES: Readonly<Record<string, string>> = {
  "decimal(38,10)": "DECIMAL(38,10)",
  "decimal(38,0)": "DECIMAL(38,0)",
  money: "DECIMAL(19,4)",
  bigint: "BIGINT",
  int: "INTEGER",
  tinyint: "UTINYINT",
  bit: "BOOLEAN",
  float: "DOUBLE",
  date: "DATE",
  "time(7)": "TIME_NS",
  "datetime2(3)": "TIMESTAMP",
  uniqueidentifier: "UUID",
};

const quote = (text: string) => `'${text.replaceAll("'", "''")}'`;

function expression(column: ExactColumn, text: string | null): string {
  if (text === null) return "NULL";
  const type = EXACT_COLUMNS[column];
  if (type === "varbinary(max)") return `unhex(${quote(text)})`;
  if (type === "datetimeoffset(7)") return zoned(text);
  // DuckDB's own parser refuses the earliest instants that nanoseconds can hold.
  if (type === "datetime2(7)") return `make_timestamp_ns(${epochNs(text)})`;
  const duckdb = DUCKDB_TYPES[type];
  return duckdb === undefined ? quote(text) : `CAST(${quote(text.replace("T", " "))} AS ${duckdb})`;
}

/** `2024-02-29T23:59:59.9999999`, taken as UTC, in nanoseconds since 1970. */
export function epochNs(text: string): bigint {
  const [seconds = "", fraction = ""] = text.split(".");
  return BigInt(Date.parse(`${seconds}Z`)) * 1_000_000n + BigInt(fraction.padEnd(9, "0"));
}

/** `2024-02-29T23:59:59.9999999+14:00` as the instant in nanoseconds and the offset in minutes. */
export function parseZoned(text: string): { instantNs: bigint; offsetMinutes: number } {
  const [, local = "", sign, hours, minutes] = /^(.+)([+-])(\d\d):(\d\d)$/.exec(text) ?? [];
  const offsetMinutes = (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
  return { instantNs: epochNs(local) - BigInt(offsetMinutes) * 60_000_000_000n, offsetMinutes };
}

function zoned(text: string): string {
  const { instantNs, offsetMinutes } = parseZoned(text);
  return `{'instant': make_timestamp_ns(${instantNs}), 'offset_minutes': ${offsetMinutes}::SMALLINT}`;
}

/** A DuckDB with the tables `flights_oracle` (the first `flights` rows, before any change) and `exact_oracle`. */
export async function openOracle(flights: number): Promise<DuckDBConnection> {
  const connection = await (await DuckDBInstance.create(":memory:")).connect();
  await connection.run("SET TimeZone = 'UTC'");
  await connection.run(
    `CREATE TABLE flights_oracle AS SELECT file_row_number + 1 AS "Id", date::TIMESTAMP_NS AS "DepartedAt", delay::INT AS "Delay",
       distance::INT AS "Distance", origin AS "Origin", destination AS "Destination"
     FROM read_parquet(${quote(FLIGHTS_FILE)}, file_row_number = true) WHERE file_row_number < ${flights}`,
  );
  const rows = readExactRows().map((row: ExactRow) => {
    const cells = Object.keys(EXACT_COLUMNS).map(
      (name) => `${expression(name as ExactColumn, row[name as ExactColumn])} AS "${name}"`,
    );
    return `SELECT ${cells.join(", ")}`;
  });
  await connection.run(`CREATE TABLE exact_oracle AS ${rows.join("\nUNION ALL BY NAME\n")}`);
  return connection;
}

/** Rows of `query` as texts, exact to the last digit. */
export async function rowsOf(connection: DuckDBConnection, query: string): Promise<string[]> {
  const reader = await connection.runAndReadAll(query);
  return reader.getRowsJson().map((row) => JSON.stringify(row));
}

/** How many rows stand in one of the two queries only, duplicates counted. */
export async function difference(connection: DuckDBConnection, one: string, other: string): Promise<number> {
  const sides = [`(${one}) EXCEPT ALL (${other})`, `(${other}) EXCEPT ALL (${one})`];
  const counts = await Promise.all(sides.map((side) => connection.runAndReadAll(`SELECT count(*) FROM (${side})`)));
  return counts.reduce((sum, reader) => sum + Number(reader.getRows()[0]![0]), 0);
}
