/** What ALTER switches: Change Tracking of a database and its tables. */
import { sqlError } from "../values/errors.ts";
import type { Statement } from "./ast.ts";
import { requireTable } from "./bind-source.ts";
import { forgetTable, isTracked, keyColumns, trackFromNow } from "./change-tracking.ts";
import { isAdmin } from "./rights.ts";
import type { Run } from "./run.ts";
import type { State } from "./state.ts";
import { write } from "./transactions.ts";

/** ALTER DATABASE … SET CHANGE_TRACKING. Throws errors 5088 and 22115. */
export async function trackDatabase(run: Run, statement: Statement & { is: "trackDatabase" }): Promise<void> {
  const { state } = run;
  requireOwner(state, statement.database);
  await write(state, run.signal, () => {
    const { sqlite } = state;
    const known = sqlite.prepare('SELECT 1 FROM "sys.change_tracking_databases"').get() !== undefined;
    if (statement.on === known) throw sqlError(5088);
    if (sqlite.prepare('SELECT 1 FROM "sys.change_tracking_tables"').get() !== undefined) throw sqlError(22115);
    sqlite.exec('DELETE FROM "sys.change_tracking_databases"; UPDATE "#tracking" SET version = 0, pending = 0');
    if (!statement.on) return;
    const { retention, units } = statement;
    const id = state.store.databases.indexOf(state.store.database) + 1;
    sqlite.prepare('INSERT INTO "sys.change_tracking_databases" VALUES (?, 1, ?, ?)').run(id, retention, units);
  });
  run.sink.done(null, 0);
}

/** Throws error 5011 for another database, or for a login that is not this one's owner. */
export function requireOwner(state: State, database: string | null): void {
  const { database: own } = state.store;
  if (isAdmin(state.login) && (database ?? own).toLowerCase() === own.toLowerCase()) return;
  throw sqlError(5011, database ?? own);
}

/** ALTER TABLE … ENABLE or DISABLE CHANGE_TRACKING. Throws errors 4997, 4996, 4998, 22105 and 1088. */
export async function trackTable(run: Run, statement: Statement & { is: "trackTable" }): Promise<void> {
  const { state } = run;
  const table = requireTable(state, statement.table);
  if (!isAdmin(state.login)) throw sqlError(1088, statement.table.join("."));
  await write(state, run.signal, () => {
    const { sqlite } = state;
    if (sqlite.prepare('SELECT 1 FROM "sys.change_tracking_databases"').get() === undefined)
      throw sqlError(4997, table.name);
    if (statement.on === isTracked(sqlite, table)) throw sqlError(statement.on ? 4996 : 22105, table.name);
    if (!statement.on) return forgetTable(sqlite, table);
    const keys = keyColumns(table);
    if (keys.length === 0) throw sqlError(4998, table.name);
    trackFromNow(sqlite, table, keys);
  });
  run.sink.done(null, 0);
}
