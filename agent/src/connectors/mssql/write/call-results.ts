/** Result sets of a procedure, each checked against the policy before its first row, kept exactly and within a bound. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { createBatch, type RowBatch } from "@sallyport/shared/rows/columns.ts";
import { columnReader, type JsonValue } from "@sallyport/shared/rows/to-json.ts";
import { type Column, type SqlServerDeclaration, sqlServerType } from "@sallyport/shared/rows/types.ts";
import type { Limits } from "@sallyport/shared/schema/operations.ts";
import { Request } from "tedious";
import { sameName } from "../../../names.ts";
import { arrowColumn } from "../catalog.ts";
import { appenderFor } from "../decode.ts";
import { statementError } from "../errors.ts";
import { containLateAnswer, createGuard, type Guard } from "../guard.ts";
import { attachSink } from "../hook.ts";
import type { Session } from "../session.ts";
import { createSink, type ValueSink } from "../sink.ts";
import { execute, type Statement } from "../statement.ts";
import { declarationOf, type WireColumn } from "../wire.ts";

export interface ResultSet {
  readonly columns: readonly { readonly name: string; readonly source: string }[];
  /** Values as JSON carries them exactly: decimals, 64-bit integers and times as text. */
  readonly rows: readonly (readonly JsonValue[])[];
}

interface Reading {
  readonly columns: readonly Column[];
  readonly batch: RowBatch;
  readonly sinks: readonly ValueSink[];
}

/** All of them travel in one message of 4 MiB. */
const MOST_BYTES = 4 * 2 ** 20;

/**
 * @param wanted the columns of each result set: exactly so many come, with these names in this order
 * @throws policy.denied for any other; limit.bytes, limit.rows; the server's errors; the signal's reason
 */
export function readResults(
  session: Session,
  statement: Statement,
  wanted: readonly (readonly string[])[],
  limits: Limits,
  signal: AbortSignal,
): Promise<readonly ResultSet[]> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    session.messages.length = 0;
    const sets: Reading[] = [];
    let rows = 0;
    let completed = false;
    const guard = createGuard(() => {
      if (!completed) request.cancel();
    });
    const guarded = (act: () => void): void => {
      if (guard.failed) return;
      try {
        act();
      } catch (error) {
        guard.fail(error);
      }
    };
    const request = new Request(statement.sql, (error) => {
      completed = true;
      signal.removeEventListener("abort", abort);
      guarded(() => {
        if (!error && sets.length !== wanted.length) throw otherSets(sets.length, wanted.length);
      });
      if (error && guard.failed) containLateAnswer(session);
      if (guard.failed) reject(guard.failure);
      else if (error) reject(statementError(error, session.messages));
      else resolve(sets.map(toResultSet));
    });
    const abort = (): void => guard.fail(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    request.on("columnMetadata", (columns) =>
      guarded(() => {
        const wire = columns as unknown as readonly WireColumn[];
        sets.push(openSet(wire, wanted[sets.length], sets.length, { guard, limits }));
      }),
    );
    request.on("row", (columns: readonly { readonly value: unknown }[]) =>
      guarded(() => {
        if (!takeRow(sets.at(-1)!, columns, guard)) return;
        rows += 1;
        requireRoom(sets, rows, limits);
      }),
    );
    execute(session.connection, request, statement.parameters);
  });
}

/** False where a value was refused: then the row is not whole. */
function takeRow({ batch, sinks }: Reading, columns: readonly { readonly value: unknown }[], guard: Guard): boolean {
  for (let at = 0; at < columns.length; at++) if (columns[at]!.value === null) sinks[at]!.readNull();
  if (!guard.failed) batch.rowDone();
  return !guard.failed;
}

function requireRoom(sets: readonly Reading[], rows: number, limits: Limits): void {
  if (rows > limits.rows) throw new SallyportError("limit.rows", `More than ${limits.rows} rows.`, { rows });
  if (sets.reduce((sum, set) => sum + set.batch.byteLength, 0) <= MOST_BYTES) return;
  throw new SallyportError("limit.bytes", `A procedure's results have more than ${MOST_BYTES} bytes.`, {
    bytes: MOST_BYTES,
  });
}

function openSet(
  wire: readonly WireColumn[],
  names: readonly string[] | undefined,
  index: number,
  { guard, limits }: { readonly guard: Guard; readonly limits: Limits },
): Reading {
  const same = names?.length === wire.length && wire.every(({ colName }, at) => sameName(colName, names[at] ?? ""));
  if (names === undefined || !same) {
    throw new SallyportError("policy.denied", "The procedure gives other columns than the policy's `returns`.", {
      result: index,
      columns: wire.length,
      expected: names?.length ?? 0,
    });
  }
  const columns = wire.map((column, at) => textColumn(names[at]!, declarationOf(column)));
  const batch = createBatch(columns, { cellBytes: limits.cellBytes, rowBytes: limits.rowBytes, batchBytes: 2 ** 24 });
  const options = { guard, remember: false, cellBytes: limits.cellBytes };
  const sinks = wire.map((column, at) => {
    const into = batch.columns[at]!;
    return createSink(column, into, appenderFor(column, into), options);
  });
  sinks.forEach((sink, at) => {
    attachSink(wire[at]!, sink);
  });
  return { columns, batch, sinks };
}

/** As JSON they are text anyway, so times outside 1677 to 2262 have a place too. */
function textColumn(name: string, declared: SqlServerDeclaration): Column {
  const type = sqlServerType(declared, { timestamps: "text" });
  const column = arrowColumn({ name, declared, nullable: true });
  return type === undefined ? column : { ...column, type };
}

const otherSets = (got: number, expected: number): SallyportError =>
  new SallyportError(
    "policy.denied",
    "The procedure gives another number of result sets than the policy's `returns`.",
    {
      results: got,
      expected,
    },
  );

function toResultSet({ columns, batch }: Reading): ResultSet {
  const readers = batch.columns.map((column) => columnReader(column.view(batch.length)));
  return {
    columns: columns.map(({ name, source }) => ({ name, source })),
    rows: Array.from({ length: batch.length }, (_, row) => readers.map((read) => read(row))),
  };
}
