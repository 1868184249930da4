/**
 * Change Tracking: triggers in SQLite note each change's key with the version that its transaction will commit as, and
 * CHANGETABLE nets them by key. Versions are those of commits: one writer at a time makes the two orders one.
 */
import type { DatabaseSync } from "node:sqlite";
import type { SqlType } from "../values/type.ts";
import { type Column, primaryKey, quoteName, requireColumn, type Table } from "./catalog.ts";

/** `version`: of the last commit; `pending` is 1 while a transaction has changed a tracked table. */
export const TRACKING_TABLE =
  'CREATE TABLE "#tracking" (version INTEGER, pending INTEGER); INSERT INTO "#tracking" VALUES (0, 0)';

export const changesOf = (objectId: number): string => quoteName(`#changes.${objectId}`);

export const isTracked = (sqlite: DatabaseSync, { objectId }: Table): boolean =>
  sqlite.prepare('SELECT 1 FROM "sys.change_tracking_tables" WHERE object_id = ?').get(objectId) !== undefined;

export const keyColumns = (table: Table): Column[] =>
  (primaryKey(table)?.columns ?? []).map(({ name }) => requireColumn(table, name));

/** Notes each change of the table from now on. */
export function trackFromNow(sqlite: DatabaseSync, table: Table, keys: readonly Column[]): void {
  const { objectId } = table;
  const changes = changesOf(objectId);
  const names = keys.map(({ name }) => quoteName(name));
  const declared = keys.map(({ name, type }) => `${quoteName(name)}${collation(type)}`);
  sqlite.exec(
    `CREATE TABLE ${changes} (seq INTEGER PRIMARY KEY, version INTEGER, operation TEXT, ${declared.join(", ")})`,
  );
  const note = (operation: string, row: "old" | "new"): string =>
    `INSERT INTO ${changes} (version, operation, ${names.join(", ")}) SELECT version + 1, '${operation}', ${names.map((name) => `${row}.${name}`).join(", ")} FROM "#tracking"; UPDATE "#tracking" SET pending = 1;`;
  const moved = names.map((name) => `old.${name} IS NOT new.${name}`).join(" OR ");
  const trigger = (kind: string, event: string, when: string, body: string): void =>
    sqlite.exec(
      `CREATE TRIGGER ${quoteName(`#${kind}.${objectId}`)} AFTER ${event} ON ${table.sqlite} ${when} BEGIN ${body} END`,
    );
  trigger("inserted", "INSERT", "", note("I", "new"));
  trigger("deleted", "DELETE", "", note("D", "old"));
  trigger("updated", "UPDATE", `WHEN NOT (${moved})`, note("U", "new"));
  trigger("moved", "UPDATE", `WHEN ${moved}`, note("D", "old") + note("I", "new"));
  sqlite.exec(`INSERT INTO "sys.change_tracking_tables" SELECT ${objectId}, 0, version, version, 0 FROM "#tracking"`);
}

const collation = (type: SqlType): string => (type.name.includes("char") ? ` COLLATE ${type.collation.sqlite}` : "");

/** What goes with the table: ALTER TABLE … DISABLE, or DROP TABLE. */
export function forgetTable(sqlite: DatabaseSync, table: Table): void {
  if (!isTracked(sqlite, table)) return;
  for (const kind of ["inserted", "deleted", "updated", "moved"]) {
    sqlite.exec(`DROP TRIGGER IF EXISTS ${quoteName(`#${kind}.${table.objectId}`)}`);
  }
  sqlite.exec(`DROP TABLE ${changesOf(table.objectId)}`);
  sqlite.prepare('DELETE FROM "sys.change_tracking_tables" WHERE object_id = ?').run(table.objectId);
}

/** TRUNCATE TABLE notes no rows: who has not seen the table since has to load it again. */
export function truncated(sqlite: DatabaseSync, table: Table): void {
  if (!isTracked(sqlite, table)) return;
  sqlite.exec(`DELETE FROM ${changesOf(table.objectId)}; UPDATE "#tracking" SET pending = 1`);
  sqlite.exec(
    `UPDATE "sys.change_tracking_tables" SET min_valid_version = (SELECT version + 1 FROM "#tracking") WHERE object_id = ${table.objectId}`,
  );
}

/** Part of every commit. */
export const COMMIT_VERSION = 'UPDATE "#tracking" SET version = version + pending, pending = 0 WHERE pending <> 0';

/** What retention does in time: changes up to `version` go, for all tables. */
export function cleanUp(sqlite: DatabaseSync, version: bigint): void {
  const tables = sqlite.prepare('SELECT object_id AS id FROM "sys.change_tracking_tables"').all() as { id: number }[];
  for (const { id } of tables) sqlite.prepare(`DELETE FROM ${changesOf(id)} WHERE version <= ?`).run(version);
  sqlite
    .prepare(
      'UPDATE "sys.change_tracking_tables" SET min_valid_version = ?, cleanup_version = ? WHERE min_valid_version < ?',
    )
    .run(version, version, version);
}
