/**
 * Transactions of a session over SQLite's. Under READ COMMITTED every read sees what is committed at that moment, so
 * SQLite's transaction starts at the first write; the stricter levels start it at the first read.
 */
import { sqlError } from "../values/errors.ts";
import { datetimeAt } from "../values/time.ts";
import { commitLsn, isCaptured } from "./cdc.ts";
import { COMMIT_VERSION } from "./change-tracking.ts";
import { fromSqlite } from "./sqlite-errors.ts";
import type { State, Transaction } from "./state.ts";

let descriptors = 0x0000_0100_0000_0001n;

export function begin(state: State, isolation: string = state.isolation): Transaction {
  if (state.transaction !== null) {
    state.transaction.depth++;
    return state.transaction;
  }
  state.transaction = {
    depth: 1,
    isolation,
    begun: false,
    writing: false,
    changedCatalog: false,
    doomed: false,
    descriptor: descriptors++,
    beganMs: Date.now(),
  };
  return state.transaction;
}

const PINNED = new Set(["SNAPSHOT", "SERIALIZABLE", "REPEATABLE READ"]);

/** Called before a read: pins the state of the database where the isolation level asks for it. */
export function beginRead(state: State): void {
  const { transaction, sqlite } = state;
  requireSnapshot(state);
  if (transaction === null || transaction.begun || !PINNED.has(transaction.isolation)) return;
  sqlite.exec("BEGIN");
  sqlite.prepare('SELECT last FROM "#version"').get();
  transaction.begun = true;
}

/** Throws error 3952 where a snapshot is wanted and the database allows none. */
function requireSnapshot({ transaction, isolation, store }: State): void {
  if ((transaction?.isolation ?? isolation) !== "SNAPSHOT" || store.snapshotAllowed) return;
  throw sqlError(3952, store.database);
}

/** Waits for the right to write. Throws errors 1222, 3930 and 3960. */
export async function beginWrite(state: State, signal: AbortSignal): Promise<void> {
  const { transaction, sqlite, store } = state;
  if (transaction?.doomed) throw sqlError(3930);
  if (transaction?.writing) return;
  requireSnapshot(state);
  await store.lock.acquire(state.lockTimeoutMs, signal);
  try {
    if (transaction === null || !transaction.begun) sqlite.exec("BEGIN IMMEDIATE");
    else sqlite.exec('UPDATE "#version" SET last = last');
  } catch (error) {
    store.lock.release();
    throw fromSqlite(error, state);
  }
  if (transaction !== null) {
    transaction.begun = true;
    transaction.writing = true;
  }
}

/** Runs one changing statement: in the open transaction, or in one of its own that is committed at once. */
export async function write<T>(state: State, signal: AbortSignal, body: () => T): Promise<T> {
  await beginWrite(state, signal);
  if (state.transaction !== null) {
    try {
      return body();
    } catch (error) {
      throw fromSqlite(error, state);
    }
  }
  try {
    const result = body();
    commitSqlite(state);
    return result;
  } catch (error) {
    if (state.sqlite.isTransaction) state.sqlite.exec("ROLLBACK");
    throw fromSqlite(error, state);
  } finally {
    endWrite(state);
  }
}

function commitSqlite(state: State): void {
  state.sqlite
    .prepare('UPDATE "#version" SET last = ? WHERE last < ?')
    .run(state.store.lastVersion, state.store.lastVersion);
  const captured = isCaptured(state.store.catalog) ? `${commitLsn(datetimeAt(Date.now()))};` : "";
  state.sqlite.exec(`${COMMIT_VERSION}; ${captured} COMMIT`);
}

function endWrite(state: State): void {
  state.store.activeVersions.delete(state);
  state.store.lock.release();
}

/** Throws error 3902 without a transaction, 3930 in a doomed one. True when the outermost one ended. */
export function commit(state: State): boolean {
  const { transaction } = state;
  if (transaction === null) throw sqlError(3902);
  if (transaction.doomed) throw sqlError(3930);
  transaction.depth--;
  if (transaction.depth > 0) return false;
  state.transaction = null;
  if (transaction.writing) {
    try {
      commitSqlite(state);
    } finally {
      endWrite(state);
    }
  } else if (transaction.begun) state.sqlite.exec("COMMIT");
  return true;
}

/** Ends the transaction, however deep, without its changes. Throws error 3903 when there is none. */
export function rollback(state: State): void {
  const { transaction } = state;
  if (transaction === null) throw sqlError(3903);
  state.transaction = null;
  // SQLite itself rolls back on some errors.
  if (state.sqlite.isTransaction) state.sqlite.exec("ROLLBACK");
  if (transaction.changedCatalog) state.store.reload(state.sqlite);
  if (transaction.writing) endWrite(state);
}
