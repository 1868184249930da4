/** A SQL Server on loopback, for tests: the TDS protocol over SQLite. See README.md beside this file. */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DirectResult, runDirectly } from "./direct.ts";
import { createFaults, type Faults } from "./faults.ts";
import type { LogEntry } from "./log.ts";
import { cleanUp } from "./sql/change-tracking.ts";
import type { Procedure } from "./sql/own-procedures.ts";
import type { Server } from "./sql/principals.ts";
import { closeSession, openSession } from "./sql/sessions.ts";
import type { Login, State } from "./sql/state.ts";
import { openStore, type Store } from "./sql/store.ts";
import { serveConnection } from "./wire/connection.ts";
import type { Certificate } from "./wire/tls-in-tds.ts";

export type { DirectResult } from "./direct.ts";
export type { Fault, FaultOptions, Faults } from "./faults.ts";
export type { LogEntry, LogEvent } from "./log.ts";
export type { Procedure, ProcedureCall } from "./sql/own-procedures.ts";
export type { Login } from "./sql/state.ts";

export interface TdsOptions {
  /** 0, the default, chooses a free one. */
  readonly port?: number;
  /** PEM. */
  readonly tls: Certificate;
  readonly logins: readonly Login[];
  /** The first is where a login without a database lands. `master` and `tempdb` are there too. */
  readonly databases: readonly string[];
  /** What SERVERPROPERTY says: 3, the default, is SQL Server, 5 Azure SQL Database. */
  readonly engineEdition?: number;
  /** The databases are copies of another server's, which only read: DATABASEPROPERTYEX says so, and nothing else here does. */
  readonly isReplica?: boolean;
  /** A directory for the SQLite files, kept; by default a temporary one that `close` removes. */
  readonly directory?: string;
}

export interface Tds {
  readonly port: number;
  readonly log: readonly LogEntry[];
  readonly faults: Faults;
  /** Names of the logins there are now: those of the options, and what CREATE LOGIN made. */
  logins(): readonly string[];
  /** Names of the users that CREATE USER made in the first database, or another; lower case. */
  users(database?: string): readonly string[];
  /** Runs T-SQL as sysadmin in the first database, or another. Throws the first SqlError. */
  sql(text: string, database?: string): Promise<DirectResult>;
  /**
   * Takes the next rowversion as a transaction of another session would that stays open: MIN_ACTIVE_ROWVERSION stays
   * below it until `commit` runs T-SQL whose rows are stamped with it, or `rollback`.
   */
  reserveRowversion(database?: string): {
    readonly version: bigint;
    commit(text: string): Promise<void>;
    rollback(): void;
  };
  /** Resets every connection there is, as a firewall does that forgets them. */
  cut(): void;
  /** Makes a procedure, written in TypeScript, in every database; one of that name is replaced. */
  procedure(procedure: Procedure): void;
  /** What retention does in time: Change Tracking forgets the changes up to that version. */
  cleanUpChanges(version: bigint, database?: string): void;
  /** Closes the listener and every connection, and removes what it made. */
  close(): Promise<void>;
}

const FIRST_SPID = 51;

/** Starts the emulator on 127.0.0.1. Rejects when the port is taken. */
export async function startTds(options: TdsOptions): Promise<Tds> {
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), "tds-"));
  const names = ["master", "tempdb", ...options.databases.filter((name) => !/^(master|tempdb)$/i.test(name))];
  const stores = new Map<string, Store>(
    names.map((name) => [
      name.toLowerCase(),
      openStore(join(directory, `${encodeURIComponent(name)}.sqlite`), name, names),
    ]),
  );
  const defaultDatabase = options.databases[0] ?? "master";
  const log: LogEntry[] = [];
  const faults = createFaults();
  const sockets = new Set<Socket>();
  const serving = new Set<Promise<void>>();
  let spid = FIRST_SPID;
  const server: Server = {
    stores,
    logins: options.logins.map((login) => ({ ...login })),
    sessions: new Set(),
    procedures: new Map(),
    engineEdition: options.engineEdition ?? 3,
    isReplica: options.isReplica ?? false,
  };
  const gate = { server, defaultDatabase, nextSpid: () => spid++ };
  const listener = createServer((socket) => {
    if (faults.forConnection("refuse") !== null) {
      socket.resetAndDestroy();
      return;
    }
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    const ended = serveConnection({ gate, certificate: options.tls, faults, log }, socket)
      .catch((error: unknown) => {
        // A defect, or a client that speaks no TDS: the connection ends, the server goes on, and the log says so.
        log.push({ kind: "error", number: 0, message: String(error), at: Date.now(), session: 0 });
        socket.destroy();
      })
      .finally(() => serving.delete(ended));
    serving.add(ended);
  });
  const { promise: listening, resolve, reject } = Promise.withResolvers<void>();
  listener.once("error", reject);
  listener.listen(options.port ?? 0, "127.0.0.1", resolve);
  await listening;
  const address = listener.address();

  const administrator: Login = { name: "sa", password: "", rights: "sysadmin" };
  const session = (database: string): State => {
    const store = stores.get(database.toLowerCase());
    if (store === undefined) throw new RangeError(`no database ${database}`);
    return openSession({ spid: spid++, login: administrator, application: "direct", host: "", store, server });
  };
  const sql = async (text: string, database: string, version: bigint | null): Promise<DirectResult> => {
    const state = session(database);
    state.reservedVersion = version;
    try {
      return await runDirectly(state, text);
    } finally {
      closeSession(state);
    }
  };
  return {
    port: typeof address === "object" && address !== null ? address.port : 0,
    log,
    faults,
    logins: () => server.logins.map(({ name }) => name),
    users: (database = defaultDatabase) => [...(stores.get(database.toLowerCase())?.users ?? [])],
    sql: (text, database = defaultDatabase) => sql(text, database, null),
    reserveRowversion(database = defaultDatabase) {
      const store = stores.get(database.toLowerCase());
      if (store === undefined) throw new RangeError(`no database ${database}`);
      store.lastVersion += 1n;
      const version = store.lastVersion;
      const holder = {};
      store.activeVersions.set(holder, version);
      return {
        version,
        async commit(text) {
          await sql(text, database, version);
          store.activeVersions.delete(holder);
        },
        rollback: () => void store.activeVersions.delete(holder),
      };
    },
    cut() {
      for (const socket of sockets) socket.resetAndDestroy();
    },
    procedure: (procedure) => void server.procedures.set(procedure.name.toLowerCase(), procedure),
    cleanUpChanges(version, database = defaultDatabase) {
      const store = stores.get(database.toLowerCase());
      if (store === undefined) throw new RangeError(`no database ${database}`);
      const sqlite = store.connect();
      cleanUp(sqlite, version);
      sqlite.close();
    },
    async close() {
      const closed = new Promise((done) => listener.close(done));
      for (const socket of sockets) socket.destroy();
      await closed;
      await Promise.all(serving);
      if (options.directory === undefined) rmSync(directory, { recursive: true, force: true });
    },
  };
}
