/** What one session is: who it is, where it stands, its variables, options and transaction. */
import type { DatabaseSync } from "node:sqlite";
import type { SqlType, SqlValue } from "../values/type.ts";
import type { Table } from "./catalog.ts";
import type { Rights } from "./rights.ts";
import type { Store } from "./store.ts";

export interface Login {
  readonly name: string;
  readonly password: string;
  /**
   * `sysadmin` (also spelt `admin`, and the default); `read`, which may SELECT everything and change nothing (db_datareader);
   * `owner`, which may do all in its database, and make no logins; or what it may do, on what.
   */
  rights?: "sysadmin" | "admin" | "owner" | "read" | Rights;
  /** Made by CREATE LOGIN: it gets into the databases that it is a user of. */
  readonly onlyAsUser?: true;
}

/** Rows of a table-valued parameter. */
export interface TableRows {
  readonly types: readonly SqlType[];
  readonly rows: readonly (readonly SqlValue[])[];
}

export interface Variable {
  readonly type: SqlType;
  value: SqlValue;
  /** In the place of a value. */
  readonly table?: TableRows;
}

export interface Transaction {
  depth: number;
  readonly isolation: string;
  /** SQLite stands in a transaction: since the first read of a snapshot, or since the first write. */
  begun: boolean;
  writing: boolean;
  changedCatalog: boolean;
  /** An error with XACT_ABORT on: only ROLLBACK is left (error 3930). */
  doomed: boolean;
  readonly descriptor: bigint;
  readonly beganMs: number;
}

export interface State {
  readonly spid: number;
  readonly login: Login;
  readonly application: string;
  readonly host: string;
  /** All sessions of the server. */
  readonly peers: ReadonlySet<State>;
  /** As SERVERPROPERTY says. */
  readonly engineEdition: number;
  readonly isReplica: boolean;
  store: Store;
  sqlite: DatabaseSync;
  readonly temporary: Map<string, Table>;
  variables: Map<string, Variable>;
  readonly options: Map<string, string>;
  isolation: string;
  lockTimeoutMs: number;
  textSize: number;
  contextInfo: Uint8Array | null;
  rowCount: number;
  lastError: number;
  identity: bigint | null;
  transaction: Transaction | null;
  /** Rowversions come from here instead of the counter: `tds.reserveRowversion`. */
  reservedVersion: bigint | null;
  /** Names a table whose identity column may be given: SET IDENTITY_INSERT. */
  identityInsert: string | null;
}
