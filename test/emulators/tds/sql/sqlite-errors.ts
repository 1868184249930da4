/** SQLite's refusals as SQL Server's errors. */
import { SqlError, sqlError } from "../values/errors.ts";
import { primaryKey, type Table } from "./catalog.ts";
import type { State } from "./state.ts";

const CONSTRAINT_UNIQUE = 2067;
const CONSTRAINT_PRIMARY_KEY = 1555;
const CONSTRAINT_NOT_NULL = 1299;
const CONSTRAINT_ROWID = 2579;
const CONSTRAINT_FOREIGN_KEY = 787;
const BUSY_SNAPSHOT = 517;

export function fromSqlite(error: unknown, state: State): unknown {
  if (error instanceof SqlError || !(error instanceof Error)) return error;
  const code = "errcode" in error ? Number(error.errcode) : 0;
  switch (code) {
    case CONSTRAINT_PRIMARY_KEY:
    case CONSTRAINT_ROWID:
    case CONSTRAINT_UNIQUE:
      return duplicate(error.message, state);
    case CONSTRAINT_NOT_NULL: {
      const { table, columns } = named(error.message, state);
      return sqlError(515, columns[0] ?? "", table === undefined ? "" : `${state.store.database}.${full(table)}`);
    }
    case CONSTRAINT_FOREIGN_KEY:
      return sqlError(547);
    case BUSY_SNAPSHOT:
      return sqlError(3960);
    default:
      return error;
  }
}

const full = (table: Table): string => `${table.schema}.${table.name}`;

// `UNIQUE constraint failed: dbo.T.a, dbo.T.b`, or `index '100000001.IX_T'`.
function duplicate(message: string, state: State): SqlError {
  const { table, columns } = named(message, state);
  if (table === undefined) return sqlError(2627, "UNIQUE KEY", "", "");
  const same = (key: Table["keys"][number]): boolean =>
    key.columns.length === columns.length &&
    key.columns.every((column, at) => column.name.toLowerCase() === (columns[at] ?? "").toLowerCase());
  const key = table.keys.find((k) => k.kind !== "index" && same(k)) ?? primaryKey(table);
  if (key?.kind === "uniqueIndex") return sqlError(2601, full(table), key.name);
  return sqlError(2627, key?.kind === "unique" ? "UNIQUE KEY" : "PRIMARY KEY", key?.name ?? "", full(table));
}

function named(message: string, state: State): { table: Table | undefined; columns: string[] } {
  const list = /failed: (.*)$/.exec(message)?.[1] ?? "";
  const tables = [...state.temporary.values(), ...state.store.catalog.tables.values()];
  const table = tables.find((t) => list.toLowerCase().startsWith(`${plain(t)}.`.toLowerCase()));
  if (table === undefined) return { table, columns: [] };
  return { table, columns: list.split(", ").map((part) => part.slice(plain(table).length + 1)) };
}

const plain = (table: Table): string => table.sqlite.slice(1, -1).replaceAll('""', '"');
