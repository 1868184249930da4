/**
 * Change Data Capture: triggers in SQLite write each change to its capture instance's table, with the LSN that its
 * transaction will commit as. The real one reads the log some seconds later; here a change is captured as it commits.
 */
import type { DatabaseSync } from "node:sqlite";
import { type Catalog, type Column, primaryKey, quoteName, type Table, tableKey } from "./catalog.ts";

/** `last`: of the last commit; `pending` and `command` are of the open transaction. */
export const LSN_TABLE =
  'CREATE TABLE "#lsn" (last INTEGER, pending INTEGER, command INTEGER); INSERT INTO "#lsn" VALUES (0, 0, 0)';

/** What sp_cdc_enable_db makes. */
export const CDC_TABLES = `CREATE SCHEMA cdc;
CREATE TABLE cdc.change_tables (object_id int NOT NULL PRIMARY KEY, version int NULL, source_object_id int NULL,
  capture_instance sysname NOT NULL, start_lsn binary(10) NULL, end_lsn binary(10) NULL, supports_net_changes bit NULL,
  role_name sysname NULL, create_date datetime NULL);
CREATE TABLE cdc.captured_columns (object_id int NOT NULL, column_name sysname NOT NULL, column_id int NULL,
  column_ordinal int NOT NULL);
CREATE TABLE cdc.lsn_time_mapping (start_lsn binary(10) NOT NULL PRIMARY KEY, tran_begin_time datetime NULL,
  tran_end_time datetime NULL, tran_id varbinary(10) NULL);`;

export const isCaptured = (catalog: Catalog): boolean => catalog.tables.has(tableKey("cdc", "lsn_time_mapping"));

const lsn = (number: string): string => `unhex(printf('%020X', ${number}))`;
const NEXT = `(SELECT ${lsn("last + 1")} FROM "#lsn")`;

/** The next commit has an LSN of its own, though no row may change. */
export const takeLsn = (sqlite: DatabaseSync): void => sqlite.exec('UPDATE "#lsn" SET pending = 1');
export const nextLsnSql: string = NEXT;

/** Part of every commit in a database with CDC. @param at as SQLite keeps a datetime */
export const commitLsn = (at: number): string => `UPDATE "#lsn" SET last = last + pending, command = 0;
  INSERT INTO "cdc.lsn_time_mapping" SELECT ${lsn("last")}, ${at}, ${at}, NULL FROM "#lsn" WHERE pending = 1;
  UPDATE "#lsn" SET pending = 0`;

/** Captures each change of the source from now on. */
export function capture(sqlite: DatabaseSync, source: Table, changes: Table, columns: readonly Column[]): void {
  const names = columns.map(({ name }) => quoteName(name));
  const head = ["__$start_lsn", "__$seqval", "__$operation", "__$command_id"].map(quoteName);
  const row = (operation: number, of: "old" | "new"): string =>
    `INSERT INTO ${changes.sqlite} (${[...head, ...names].join(", ")}) SELECT ${lsn("last + 1")}, ${lsn("command")}, ${operation}, command, ${columns.map((column) => kept(column, of)).join(", ")} FROM "#lsn";`;
  const step = 'UPDATE "#lsn" SET pending = 1, command = command + 1;';
  const keys = primaryKey(source)?.columns ?? [];
  const moved = keys.map(({ name }) => `old.${quoteName(name)} IS NOT new.${quoteName(name)}`).join(" OR ") || "0";
  const trigger = (kind: string, event: string, when: string, body: string): void =>
    sqlite.exec(
      `CREATE TRIGGER ${triggerName(kind, changes)} AFTER ${event} ON ${source.sqlite} ${when} BEGIN ${body} END`,
    );
  trigger("inserted", "INSERT", "", step + row(2, "new"));
  trigger("deleted", "DELETE", "", step + row(1, "old"));
  trigger("updated", "UPDATE", `WHEN NOT (${moved})`, step + row(3, "old") + row(4, "new"));
  // Another key is another row.
  trigger("moved", "UPDATE", `WHEN ${moved}`, step + row(1, "old") + row(2, "new"));
}

// A rowversion is an integer in SQLite, and a binary(8) in a change table.
function kept({ name, type }: Column, of: "old" | "new"): string {
  const value = `${of}.${quoteName(name)}`;
  return type.name === "rowversion" ? `unhex(printf('%016X', ${value}))` : value;
}

const triggerName = (kind: string, { objectId }: Table): string => quoteName(`#capture.${kind}.${objectId}`);

/** Which tables are captured, for `sys.tables`. */
export function markCaptured(sqlite: DatabaseSync): void {
  sqlite.exec(
    'UPDATE "sys.tables" SET is_tracked_by_cdc = object_id IN (SELECT source_object_id FROM "cdc.change_tables")',
  );
}

export function stopCapture(sqlite: DatabaseSync, changes: Table): void {
  for (const kind of ["inserted", "deleted", "updated", "moved"]) {
    sqlite.exec(`DROP TRIGGER ${triggerName(kind, changes)}`);
  }
}

/** The LSN before or after another. */
export function stepLsn(value: Uint8Array, step: bigint): Uint8Array {
  const number = BigInt(`0x${Buffer.from(value).toString("hex")}`) + step;
  return Buffer.from(number.toString(16).padStart(20, "0"), "hex");
}
