/** One database of the emulated server: its SQLite file, its catalog, its write lock and its rowversions. */
import { DatabaseSync } from "node:sqlite";
import { type Catalog, emptyCatalog, quoteName } from "./catalog.ts";
import { LSN_TABLE } from "./cdc.ts";
import { TRACKING_TABLE } from "./change-tracking.ts";
import { applyToCatalog } from "./define.ts";
import { LIVE_TABLES } from "./live-tables.ts";
import { parseBatch } from "./parse.ts";
import { fillDatabases, fillSystemTables, SYSTEM_TABLES } from "./system-tables.ts";
import { createTableSql } from "./table-sql.ts";
import { createWriteLock, type WriteLock } from "./write-lock.ts";

export interface Store {
  readonly database: string;
  readonly databases: readonly string[];
  readonly lock: WriteLock;
  catalog: Catalog;
  /** The last rowversion given out, @@DBTS. */
  lastVersion: bigint;
  /** The lowest rowversion of each open transaction, by whoever holds it. */
  readonly activeVersions: Map<object, bigint>;
  /** The next identity value of each table, by object id; what a rolled back insert took stays taken. */
  readonly identities: Map<number, bigint>;
  /** Lower-case names of users that CREATE USER made. */
  readonly users: Set<string>;
  /** ALLOW_SNAPSHOT_ISOLATION: on until it is switched off. */
  readonly snapshotAllowed: boolean;
  allowSnapshot(on: boolean): void;
  /** A connection of its own for each session, so that readers see committed data only. */
  connect(): DatabaseSync;
  /** Builds the catalog again from the statements that SQLite remembers: after a rollback. */
  reload(sqlite: DatabaseSync): void;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

export function openStore(path: string, database: string, databases: readonly string[]): Store {
  const store: Writable<Store> = {
    database,
    databases,
    lock: createWriteLock(),
    catalog: emptyCatalog(),
    lastVersion: 2000n,
    activeVersions: new Map(),
    identities: new Map(),
    users: new Set(),
    snapshotAllowed: true,
    allowSnapshot(on) {
      store.snapshotAllowed = on;
      const sqlite = store.connect();
      sqlite
        .prepare(
          'UPDATE "sys.databases" SET snapshot_isolation_state = ?, snapshot_isolation_state_desc = ? WHERE name = ?',
        )
        .run(on ? 1 : 0, on ? "ON" : "OFF", database);
      sqlite.close();
    },
    connect() {
      const sqlite = new DatabaseSync(path);
      sqlite.exec(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA temp_store = MEMORY; PRAGMA foreign_keys = ON;",
      );
      return sqlite;
    },
    reload(sqlite) {
      store.catalog = emptyCatalog();
      const texts = sqlite.prepare('SELECT text FROM "#ddl" ORDER BY seq').all() as { text: string }[];
      for (const statement of parseBatch(`${SYSTEM_TABLES}${LIVE_TABLES}`))
        applyToCatalog(store.catalog, statement, database);
      for (const { text } of texts) {
        for (const statement of parseBatch(text)) applyToCatalog(store.catalog, statement, database);
      }
    },
  };
  const sqlite = store.connect();
  const known = sqlite.prepare("SELECT 1 FROM sqlite_master WHERE name = '#ddl'").get() !== undefined;
  if (!known) {
    sqlite.exec('CREATE TABLE "#ddl" (seq INTEGER PRIMARY KEY, text TEXT); CREATE TABLE "#version" (last INTEGER);');
    sqlite.exec(`INSERT INTO "#version" VALUES (2000); ${TRACKING_TABLE}; ${LSN_TABLE}`);
  }
  store.reload(sqlite);
  for (const table of store.catalog.tables.values()) {
    if (!known && table.view === null) sqlite.exec(createTableSql(table));
  }
  if (!known) fillSystemTables(sqlite, store.catalog, (table) => table.columns);
  fillDatabases(sqlite, databases);
  const saved = sqlite.prepare('SELECT last FROM "#version"');
  saved.setReadBigInts(true);
  store.lastVersion = (saved.get() as { last: bigint }).last;
  seedIdentities(store, sqlite);
  sqlite.close();
  return store;
}

// A file that is opened again goes on after its highest value.
function seedIdentities(store: Store, sqlite: DatabaseSync): void {
  for (const table of store.catalog.tables.values()) {
    const column = table.columns.find((c) => c.identity !== null);
    if (column?.identity === undefined || column.identity === null) continue;
    const statement = sqlite.prepare(`SELECT max(${quoteName(column.name)}) AS top FROM ${table.sqlite}`);
    statement.setReadBigInts(true);
    const { top } = statement.get() as { top: bigint | null };
    store.identities.set(table.objectId, top === null ? column.identity.seed : top + column.identity.step);
  }
}

/** MIN_ACTIVE_ROWVERSION(): the lowest rowversion that an open transaction has used, else @@DBTS + 1. */
export function minActiveVersion(store: Store): bigint {
  let lowest = store.lastVersion + 1n;
  for (const version of store.activeVersions.values()) if (version < lowest) lowest = version;
  return lowest;
}
