/** For tests: an output that keeps what it is given, as values that can be compared. */

import { createBatch, type RowBatch } from "@sallyport/shared/rows/columns.ts";
import { columnReader, type JsonValue } from "@sallyport/shared/rows/to-json.ts";
import type { Column } from "@sallyport/shared/rows/types.ts";
import { DEFAULT_LIMITS, type Plan } from "@sallyport/shared/schema/operations.ts";
import type { Output } from "../connector.ts";

export interface Recorder extends Output {
  readonly columns: readonly Column[];
  readonly plan: Plan | undefined;
  readonly results: readonly unknown[];
  readonly rows: JsonValue[][];
  /** Each stated position, with the rows flushed before it. */
  readonly checkpoints: { readonly position: string; readonly rows: number }[];
}

export interface RecorderOptions {
  /** Says `stop` at the checkpoint with this number, from 1. */
  readonly stopAt?: number;
  /** Runs before each flush; the connector waits for it. */
  readonly beforeFlush?: () => Promise<void> | void;
  readonly batchBytes?: number;
  readonly cellBytes?: number;
}

export function createRecorder(options: RecorderOptions = {}): Recorder {
  const { cellBytes = DEFAULT_LIMITS.cellBytes, batchBytes } = options;
  const results: unknown[] = [];
  const rows: JsonValue[][] = [];
  const checkpoints: { position: string; rows: number }[] = [];
  let batch: RowBatch | undefined;
  let columns: readonly Column[] = [];
  let plan: Plan | undefined;
  return {
    results,
    async result(value) {
      results.push(value);
    },
    rows,
    checkpoints,
    get columns() {
      return columns;
    },
    get plan() {
      return plan;
    },
    async schema(given, fixed) {
      if (batch !== undefined) throw new TypeError("the schema came twice");
      columns = given;
      plan = fixed;
      batch = createBatch(given, { cellBytes, rowBytes: DEFAULT_LIMITS.rowBytes, batchBytes });
      return batch;
    },
    async flush() {
      if (batch === undefined) throw new TypeError("rows came before the schema");
      const { length } = batch;
      await options.beforeFlush?.();
      if (batch.length !== length) throw new TypeError("rows came while the output was busy");
      const readers = batch.columns.map((column) => columnReader(column.view(length)));
      for (let row = 0; row < length; row++) rows.push(readers.map((read) => read(row)));
      batch.clear();
    },
    async checkpoint(position) {
      if (batch !== undefined && batch.length > 0) throw new TypeError("a checkpoint with rows in the batch");
      checkpoints.push({ position, rows: rows.length });
      return checkpoints.length === options.stopAt ? "stop" : "continue";
    },
  };
}
