/** Opens and ends a session's place in a database. */
import { sqlError } from "../values/errors.ts";
import type { Server } from "./principals.ts";
import { installFunctions } from "./runtime.ts";
import { installServerFunctions } from "./server-functions.ts";
import type { Login, State } from "./state.ts";
import type { Store } from "./store.ts";
import { rollback } from "./transactions.ts";

export interface SessionOptions {
  readonly spid: number;
  readonly login: Login;
  readonly application: string;
  readonly host: string;
  readonly store: Store;
  readonly server: Server;
}

const servers = new WeakMap<State, Server>();

/** The server that a session is one of. */
export function serverOf(state: State): Server {
  const server = servers.get(state);
  if (server === undefined) throw new Error("a session without a server");
  return server;
}

export function openSession(options: SessionOptions): State {
  const { spid, login, application, host, store } = options;
  const state: State = {
    spid,
    login,
    application,
    host,
    peers: options.server.sessions,
    engineEdition: options.server.engineEdition,
    isReplica: options.server.isReplica,
    store,
    sqlite: store.connect(),
    temporary: new Map(),
    variables: new Map(),
    options: new Map(),
    isolation: "READ COMMITTED",
    lockTimeoutMs: -1,
    textSize: 2_147_483_647,
    contextInfo: null,
    rowCount: 0,
    lastError: 0,
    identity: null,
    transaction: null,
    reservedVersion: null,
    identityInsert: null,
  };
  servers.set(state, options.server);
  options.server.sessions.add(state);
  install(state);
  return state;
}

function install(state: State): void {
  installFunctions(state.sqlite, state);
  installServerFunctions(state);
}

/** USE. Throws error 911 for a database that is not there. */
export function openDatabase(state: State, database: string): void {
  const store = serverOf(state).stores.get(database.toLowerCase());
  if (store === undefined) throw sqlError(911, database);
  if (store === state.store) return;
  if (state.transaction !== null) throw sqlError(20001, "USE inside a transaction is not emulated.");
  state.sqlite.close();
  state.store = store;
  state.sqlite = store.connect();
  state.temporary.clear();
  install(state);
}

/** What a pooled connection's reset does: everything but the login and the database is as new. */
export function resetSession(state: State): void {
  if (state.transaction !== null) rollback(state);
  for (const table of state.temporary.values()) state.sqlite.exec(`DROP TABLE ${table.sqlite}`);
  state.temporary.clear();
  state.variables = new Map();
  state.options.clear();
  state.isolation = "READ COMMITTED";
  state.lockTimeoutMs = -1;
  state.contextInfo = null;
  state.identityInsert = null;
}

export function closeSession(state: State): void {
  if (state.transaction !== null) rollback(state);
  state.sqlite.close();
  serverOf(state).sessions.delete(state);
}
