/** What one session is: who it is, where it stands, its variables, options and transaction. */
import type { DatabaseSync } from "node:sqlite";
import type { SqlType, SqlValue } from "../values/type.ts";
import type { Table } from "./catalog.ts";
import type { Store } from "./store.ts";

export interface Login {
  readonly name: string;
  readonly password: string;
  /**
   * `sysadmin` (also spelt `admin`, and the default); `read`, which may SELECT everything and change nothing; or what it
   * may SELECT: schemas (`hr`) and tables or views (`dbo.Flights`). `owner` may do all in its database, and make no logins.
   */
  readonly rights?: "sysadmin" | "admin" | "owner" | "read" | { readonly select: string[] };
  /** Made by CREATE LOGIN: it gets into the databases that it is a user of. */
  readonly onlyAsUser?: true;
}

export interface Variable {
  readonly type: SqlType;
  value: SqlValue;
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
}

export interface State {
  readonly spid: number;
  readonly login: Login;
  readonly application: string;
  readonly host: string;
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

/** Whether it may do everything in a database. */
export function isAdmin({ rights = "sysadmin" }: Login): boolean {
  return rights === "sysadmin" || rights === "admin" || rights === "owner";
}

export const isServerAdmin = (login: Login): boolean => isAdmin(login) && login.rights !== "owner";

/** Whether the login may SELECT from that object. The catalog views are everyone's. */
export function maySelect(login: Login, schema: string, name: string): boolean {
  const rights = login.rights ?? "sysadmin";
  if (typeof rights === "string" || /^(sys|information_schema)$/i.test(schema) || name.startsWith("#")) return true;
  const wanted = [schema.toLowerCase(), `${schema}.${name}`.toLowerCase()];
  return rights.select.some((right) => wanted.includes(right.toLowerCase()));
}
