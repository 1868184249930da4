/** Views whose rows are worked out when they are asked: open transactions, and how many rows tables have. */
import { sqlError } from "../values/errors.ts";
import { datetimeAt } from "../values/time.ts";
import { primaryKey, type Table } from "./catalog.ts";
import { isAdmin, mayInDatabase } from "./rights.ts";
import type { State } from "./state.ts";

export const LIVE_TABLES = `
CREATE TABLE sys.dm_tran_database_transactions (transaction_id bigint NOT NULL, database_id int NOT NULL,
  database_transaction_begin_time datetime NULL);
CREATE TABLE sys.dm_tran_session_transactions (session_id int NOT NULL, transaction_id bigint NOT NULL,
  is_user_transaction bit NOT NULL);
CREATE TABLE sys.partitions (object_id int NOT NULL, index_id int NOT NULL, partition_number int NOT NULL, rows bigint NULL);`;

type Row = readonly (number | bigint | null)[];

const ROWS: Readonly<Record<string, (state: State) => Row[]>> = {
  // A transaction has begun in a database once it has written there.
  dm_tran_database_transactions: (state) =>
    transactions(state).map(({ transaction, id }) => [
      transaction.descriptor,
      id,
      transaction.writing ? datetimeAt(transaction.beganMs) : null,
    ]),
  partitions: ({ store, sqlite }) =>
    [...store.catalog.tables.values()]
      .filter(({ schema, view }) => view === null && schema !== "sys")
      .map((table) => {
        const { n } = sqlite.prepare(`SELECT count(*) AS n FROM ${table.sqlite}`).get() as { n: number };
        return [table.objectId, primaryKey(table) === undefined ? 0 : 1, 1, n];
      }),
  dm_tran_session_transactions: (state) =>
    transactions(state).map(({ spid, transaction }) => [spid, transaction.descriptor, 1]),
};

function transactions(state: State) {
  return [...state.peers].flatMap(({ spid, transaction, store }) =>
    transaction === null ? [] : [{ spid, transaction, id: store.databases.indexOf(store.database) + 1 }],
  );
}

/** SQLite's text of such a view, or null for any other table. Throws error 262 without VIEW DATABASE STATE. */
export function liveRows(state: State, table: Table): string | null {
  const rows = table.schema === "sys" ? ROWS[table.name] : undefined;
  if (rows === undefined) return null;
  if (table.name.startsWith("dm_") && !isAdmin(state.login) && !mayInDatabase(state.login, "VIEW DATABASE STATE")) {
    throw sqlError(262, "VIEW DATABASE STATE", state.store.database);
  }
  const names = table.columns.map(({ name }) => name);
  const values = rows(state).map((row) => `SELECT ${row.map((value, at) => `${value} AS ${names[at]}`).join(", ")}`);
  return values.length === 0 ? table.sqlite : `(${values.join(" UNION ALL ")})`;
}
