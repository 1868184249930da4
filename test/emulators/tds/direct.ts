/** T-SQL without a client: for the set-up and the checks of tests. */
import type { ResultColumn } from "./sql/bound.ts";
import { BatchEnded, runBatch } from "./sql/execute.ts";
import { parseBatch } from "./sql/parse.ts";
import type { Sink } from "./sql/run.ts";
import type { State } from "./sql/state.ts";
import type { SqlError } from "./values/errors.ts";
import { joinParts, partsOf } from "./values/parts.ts";
import { toText } from "./values/to-text.ts";
import { familyOf, type SqlType, type SqlValue } from "./values/type.ts";

/**
 * Integers up to int, and floats, as numbers; bigint, money and rowversion as BigInt (money in ten-thousandths); text
 * and bytes as they are; everything else as T-SQL prints it.
 */
export type DirectValue = null | number | bigint | string | Uint8Array;

export interface DirectResult {
  /** One array for each result set. */
  readonly sets: readonly (readonly Readonly<Record<string, DirectValue>>[])[];
  /** The first result set, or no rows. */
  readonly rows: readonly Readonly<Record<string, DirectValue>>[];
  /** Rows of the last statement. */
  readonly count: number;
}

/** Throws the first error of the batch. */
export async function runDirectly(state: State, text: string): Promise<DirectResult> {
  const sets: Record<string, DirectValue>[][] = [];
  let count = 0;
  const sink: Sink = {
    columns: () => void sets.push([]),
    rows: async (rows, columns) => {
      const set = sets.at(-1) ?? [];
      for (const row of rows) set.push(toRecord(row, columns));
      return set.length;
    },
    done: (rows) => {
      count = rows ?? count;
    },
    info: () => undefined,
    databaseChanged: () => undefined,
    transactionBegun: () => undefined,
    transactionEnded: () => undefined,
  };
  const errors: SqlError[] = [];
  try {
    await runBatch({ state, sink, signal: new AbortController().signal }, parseBatch(text), (error) =>
      errors.push(error),
    );
  } catch (error) {
    if (!(error instanceof BatchEnded)) throw error;
  }
  const [first] = errors;
  if (first !== undefined) throw first;
  return { sets, rows: sets[0] ?? [], count };
}

function toRecord(row: readonly SqlValue[], columns: readonly ResultColumn[]): Record<string, DirectValue> {
  const record: Record<string, DirectValue> = {};
  let at = 0;
  for (const { name, type } of columns) {
    record[name] = plain(joinParts(type, row, at), type);
    at += partsOf(type, "").length;
  }
  return record;
}

function plain(value: SqlValue, type: SqlType): DirectValue {
  if (value === null) return null;
  const family = familyOf(type);
  const printed = family === "decimal" || family === "time" || family === "guid";
  return printed ? toText(value, type, 121, true) : value;
}
