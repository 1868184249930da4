/** Runs the statements of a batch, one after the other, and decides how far an error reaches. */
import { SqlError, type SqlErrorRow, sqlError } from "../values/errors.ts";
import { MAX, type SqlValue, sqlType } from "../values/type.ts";
import type { Statement } from "./ast.ts";
import { requireTable } from "./bind-source.ts";
import { changeMember, changePrincipal, grant } from "./principals.ts";
import { runProcedure } from "./procedures.ts";
import { type evaluate, evaluateAs, holds, type OnError, type Run } from "./run.ts";
import { runDelete, runInsert, runTruncate, runUpdate } from "./run-change.ts";
import { runDefinition } from "./run-define.ts";
import { runQuery } from "./run-query.ts";
import { requireOwner, trackDatabase, trackTable } from "./run-tracking.ts";
import { openDatabase, serverOf } from "./sessions.ts";
import { setOption } from "./set-option.ts";
import { begin, commit, rollback } from "./transactions.ts";

/**
 * Errors that end only their statement are told to `onError` and the batch goes on; others are told and end it.
 * Throws only what is no SQL error: a cancelled request, a broken connection, a defect of the emulator.
 */
export async function runBatch(run: Run, statements: readonly Statement[], onError: OnError): Promise<void> {
  for (const statement of statements) {
    try {
      run.signal.throwIfAborted();
      run.state.lastError = 0;
      await runStatement(run, statement, onError);
    } catch (error) {
      if (error instanceof BatchEnded) throw error;
      if (!(error instanceof SqlError)) throw error;
      if (error.line === 1) error.line = statement.line;
      run.state.lastError = error.number;
      run.state.rowCount = 0;
      const ends = settle(run, error);
      onError(error);
      if (ends !== "statement") throw new BatchEnded();
    }
  }
}

/** Ends a batch whose error has been told. */
export class BatchEnded extends Error {}

// With XACT_ABORT every error takes the transaction with it.
function settle(run: Run, error: SqlError): SqlErrorRow["ends"] {
  const { state, sink } = run;
  const strict = state.options.get("XACT_ABORT") === "ON";
  if (state.transaction !== null && (error.ends === "transaction" || strict)) {
    const { descriptor } = state.transaction;
    rollback(state);
    sink.transactionEnded(false, descriptor);
    return "transaction";
  }
  return strict && error.ends === "statement" ? "batch" : error.ends;
}

async function runStatement(run: Run, statement: Statement, onError: OnError): Promise<void> {
  const { state, sink } = run;
  switch (statement.is) {
    case "query":
      return runQuery(run, statement.query);
    case "insert":
      return runInsert(run, statement);
    case "update":
      return runUpdate(run, statement);
    case "delete":
      return runDelete(run, statement);
    case "truncate":
      return runTruncate(run, statement.table);
    case "createTable":
    case "createSchema":
    case "createView":
    case "createIndex":
    case "addKey":
    case "drop":
      return runDefinition(run, statement);
    case "trackTable":
      return trackTable(run, statement);
    case "trackDatabase":
      return trackDatabase(run, statement);
    case "allowSnapshot":
      requireOwner(state, statement.database);
      state.store.allowSnapshot(statement.on);
      sink.done(null, 0);
      return;
    case "principal":
      changePrincipal(serverOf(state), state, statement);
      sink.done(null, 0);
      return;
    case "grant":
      grant(serverOf(state), state, statement);
      sink.done(null, 0);
      return;
    case "member":
      changeMember(serverOf(state), state, statement);
      sink.done(null, 0);
      return;
    case "insertBulk":
      // The rows come in the next message; here it is only said that they may.
      requireTable(state, statement.table);
      sink.done(null, 0);
      return;
    case "transaction":
      return runTransaction(run, statement);
    case "declare":
      return declare(run, statement);
    case "setVariable": {
      const variable = state.variables.get(statement.name.toLowerCase());
      if (variable === undefined) throw sqlError(137, statement.name);
      variable.value = evaluateAs(state, statement.value, variable.type);
      return;
    }
    case "setOption":
      setOption(state, statement.option, statement.value);
      return;
    case "use":
      openDatabase(state, statement.database);
      sink.databaseChanged(state.store.database);
      return;
    case "if": {
      const branch = holds(state, statement.condition) ? statement.body : statement.otherwise;
      if (branch !== null) await runBatch(run, [branch], onError);
      return;
    }
    case "while":
      while (holds(state, statement.condition)) await runBatch(run, [statement.body], onError);
      return;
    case "block":
      return runBatch(run, statement.body, onError);
    case "waitfor":
      return waitFor(run, String(evaluateAs(state, statement.delay, sqlType("varchar", { length: 40 }))));
    case "print":
      sink.info(0, text(run, statement.value), statement.line);
      return;
    case "throw":
      return raise(run, statement);
    case "execute":
      return runProcedure(run, statement, onError, runBatch);
  }
}

const text = (run: Run, value: Parameters<typeof evaluate>[1]): string =>
  String(evaluateAs(run.state, value, sqlType("nvarchar", { length: MAX })) ?? "");

function raise(run: Run, statement: Statement & { is: "throw" }): void {
  const integer = (value: Parameters<typeof evaluate>[1] | null, otherwise: number): number =>
    value === null ? otherwise : Number(evaluateAs(run.state, value, sqlType("int")));
  const severity = integer(statement.severity, 16);
  const message = text(run, statement.message);
  const number = integer(statement.number, 50_000);
  if (severity <= 10) {
    run.sink.info(number, message, statement.line);
    return;
  }
  const ends = statement.number === null ? "statement" : "batch";
  throw new SqlError(number, message, { class: severity, state: integer(statement.state, 1), ends });
}

function runTransaction(run: Run, statement: Statement & { is: "transaction" }): void {
  const { state, sink } = run;
  switch (statement.act) {
    case "BEGIN": {
      const { descriptor, depth } = begin(state);
      if (depth === 1) sink.transactionBegun(descriptor);
      break;
    }
    case "COMMIT": {
      const descriptor = state.transaction?.descriptor ?? 0n;
      if (commit(state)) sink.transactionEnded(true, descriptor);
      break;
    }
    case "ROLLBACK": {
      const descriptor = state.transaction?.descriptor ?? 0n;
      rollback(state);
      sink.transactionEnded(false, descriptor);
      break;
    }
    case "SAVE":
      throw sqlError(102, "SAVE");
  }
  sink.done(null, 0);
}

function declare(run: Run, statement: Statement & { is: "declare" }): void {
  const { state } = run;
  for (const { name, type, value } of statement.variables) {
    if (state.variables.has(name.toLowerCase())) throw sqlError(134, name);
    const initial: SqlValue = value === null ? null : evaluateAs(state, value, type);
    state.variables.set(name.toLowerCase(), { type, value: initial });
  }
}

/** `hh:mm:ss.mmm`; the wait ends at once when the request is cancelled. */
async function waitFor(run: Run, delay: string): Promise<void> {
  const match = /^(\d+):(\d+)(?::(\d+(?:\.\d+)?))?$/.exec(delay.trim());
  if (match === null) throw sqlError(241);
  const ms = (Number(match[1]) * 3600 + Number(match[2]) * 60 + Number(match[3] ?? 0)) * 1000;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, ms);
  const aborted = () => reject(run.signal.reason);
  run.signal.addEventListener("abort", aborted);
  try {
    await promise;
  } finally {
    clearTimeout(timer);
    run.signal.removeEventListener("abort", aborted);
  }
  run.sink.done(null, 0);
}
