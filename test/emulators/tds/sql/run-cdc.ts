/** The procedures of Change Data Capture. */
import { sqlError } from "../values/errors.ts";
import type { SqlValue } from "../values/type.ts";
import { requireTable } from "./bind-source.ts";
import { type Column, quoteName, type Table } from "./catalog.ts";
import { CDC_TABLES, capture, isCaptured, markCaptured, nextLsnSql, stopCapture, takeLsn } from "./cdc.ts";
import type { Argument } from "./parameters.ts";
import { parseBatch } from "./parse.ts";
import { isAdmin } from "./rights.ts";
import type { Run } from "./run.ts";
import { runDefinition, typeText } from "./run-define.ts";
import type { State } from "./state.ts";
import { write } from "./transactions.ts";

type Body = (run: Run, value: (name: string) => SqlValue) => Promise<void>;

/** By lower-case name; null for other procedures. */
export function cdcProcedure(name: string): ((run: Run, args: readonly Argument[]) => Promise<void>) | null {
  const found = PROCEDURES[name];
  if (found === undefined) return null;
  const [names, body] = found;
  return async (run, args) => {
    if (!isAdmin(run.state.login)) throw sqlError(22904);
    const values = new Map(
      args.map(({ name: given, value }, at) => [given === "" ? names[at] : given.toLowerCase(), value]),
    );
    await body(run, (wanted) => values.get(wanted) ?? null);
  };
}

const PROCEDURES: Readonly<Record<string, readonly [parameters: readonly string[], body: Body]>> = {
  sp_cdc_enable_db: [[], enableDatabase],
  sp_cdc_enable_table: [["@source_schema", "@source_name", "@role_name", "@capture_instance"], enableTable],
  sp_cdc_disable_table: [["@source_schema", "@source_name", "@capture_instance"], disableTable],
  sp_cdc_cleanup_change_table: [["@capture_instance", "@low_water_mark"], cleanUpTable],
};

const text = (value: SqlValue): string => String(value ?? "");
const bracketed = (name: string): string => `[${name.replaceAll("]", "]]")}]`;

async function define(run: Run, sql: string): Promise<void> {
  for (const statement of parseBatch(sql)) await runDefinition(run, statement);
}

async function enableDatabase(run: Run): Promise<void> {
  if (isCaptured(run.state.store.catalog)) return;
  await define(run, CDC_TABLES);
  await write(run.state, run.signal, () => {
    const set = run.state.sqlite.prepare('UPDATE "sys.databases" SET is_cdc_enabled = 1 WHERE name = ?');
    set.run(run.state.store.database);
  });
}

async function enableTable(run: Run, value: (name: string) => SqlValue): Promise<void> {
  const { state } = run;
  if (!isCaptured(state.store.catalog)) throw sqlError(22901, state.store.database);
  const source = requireTable(state, [text(value("@source_schema")), text(value("@source_name"))]);
  const instance = text(value("@capture_instance")) || `${source.schema}_${source.name}`;
  const wanted = text(value("@captured_column_list"));
  const list = wanted === "" ? null : wanted.split(",").map((name) => name.trim().toLowerCase());
  const columns = source.columns.filter(({ name }) => list === null || list.includes(name.toLowerCase()));
  const kept = columns.map((column) => `${bracketed(column.name)} ${keptType(column)} NULL`);
  await define(
    run,
    `CREATE TABLE cdc.${bracketed(`${instance}_CT`)} ([__$start_lsn] binary(10) NOT NULL, [__$end_lsn] binary(10) NULL,
     [__$seqval] binary(10) NOT NULL, [__$operation] int NOT NULL, [__$update_mask] varbinary(128) NULL, ${kept.join(", ")},
     [__$command_id] int NULL);
     CREATE INDEX ${bracketed(`${instance}_CT_idx`)} ON cdc.${bracketed(`${instance}_CT`)}
     ([__$start_lsn], [__$command_id], [__$seqval], [__$operation])`,
  );
  const changes = changesOf(state, instance);
  await write(state, run.signal, () => {
    const { sqlite } = state;
    takeLsn(sqlite);
    capture(sqlite, source, changes, columns);
    sqlite
      .prepare(`INSERT INTO "cdc.change_tables" SELECT ?, 0, ?, ?, ${nextLsnSql}, NULL, 0, ?, NULL`)
      .run(changes.objectId, source.objectId, instance, value("@role_name"));
    const add = sqlite.prepare('INSERT INTO "cdc.captured_columns" VALUES (?, ?, ?, ?)');
    columns.forEach((column, at) => {
      add.run(changes.objectId, column.name, source.columns.indexOf(column) + 1, at + 1);
    });
    markCaptured(sqlite);
  });
}

const keptType = ({ type }: Column): string => (type.name === "rowversion" ? "binary(8)" : typeText(type));

const changesOf = (state: State, instance: string): Table => requireTable(state, ["cdc", `${instance}_CT`]);

async function disableTable(run: Run, value: (name: string) => SqlValue): Promise<void> {
  const { state } = run;
  const instance = text(value("@capture_instance"));
  const changes = changesOf(state, instance);
  await write(state, run.signal, () => {
    stopCapture(state.sqlite, changes);
    for (const table of ["change_tables", "captured_columns"]) {
      state.sqlite.prepare(`DELETE FROM ${quoteName(`cdc.${table}`)} WHERE object_id = ?`).run(changes.objectId);
    }
  });
  await define(run, `DROP TABLE cdc.${bracketed(`${instance}_CT`)}`);
}

async function cleanUpTable(run: Run, value: (name: string) => SqlValue): Promise<void> {
  const { state } = run;
  const instance = text(value("@capture_instance"));
  const low = value("@low_water_mark");
  const changes = changesOf(state, instance);
  await write(state, run.signal, () => {
    state.sqlite.prepare(`DELETE FROM ${changes.sqlite} WHERE "__$start_lsn" < ?`).run(low);
    const set = state.sqlite.prepare('UPDATE "cdc.change_tables" SET start_lsn = ? WHERE object_id = ?');
    set.run(low, changes.objectId);
  });
  run.sink.done(null, 0);
}
