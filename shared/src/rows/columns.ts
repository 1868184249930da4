/**
 * Rows on their way to Arrow: one growable column buffer a column, filled with numbers and byte ranges, so that no
 * BigInt, string or Date is made for a value on the hot path. A batch is filled, drained (`drainBatch` in arrow.ts)
 * and filled again.
 */

import { SallyportError } from "../protocol/errors.ts";
import { ColumnBuffer } from "./column-buffer.ts";
import { BATCH_BYTES_MAX, bitmapBytes, COLUMNS_MAX, fixedRowBytes, isVariable, type RowMeter } from "./layout.ts";
import { type KeyValue, keyValue } from "./to-json.ts";
import type { Column } from "./types.ts";

export type { ColumnBuffer } from "./column-buffer.ts";
export type { KeyValue } from "./to-json.ts";

/** Bytes as encoded in Arrow: a cell is its data, a row adds the fixed widths and 4 bytes for each offset. */
export interface BatchLimits {
  readonly cellBytes: number;
  readonly rowBytes: number;
  /** From this size on `full` is true; 1 MiB by default, 16 MiB at most. */
  readonly batchBytes?: number | undefined;
}

export interface RowBatch {
  readonly columns: readonly ColumnBuffer[];
  /** Complete rows. */
  readonly length: number;
  /** Bytes of the complete rows as Arrow buffers, not compressed; validity bitmaps always counted. */
  readonly byteLength: number;
  /** True from `batchBytes` on: drain it before the next row. */
  readonly full: boolean;
  /** True when the last row took it beyond 16 MiB, and it is not the only one: two messages are needed. */
  readonly overflows: boolean;
  /** Closes a row. Throws `limit.bytes` for a row too large, TypeError when a column got none or two values. */
  rowDone(): void;
  /** The last complete row's values of the named columns, in that order; before the batch is drained. */
  takeLastKey(columnNames: readonly string[]): KeyValue[];
  /** Forgets all rows, or all but the last one, and keeps the buffers. */
  clear(keep?: "last"): void;
}

const BATCH_BYTES_DEFAULT = 1024 * 1024;

/** An empty batch for these columns. */
export function createBatch(columns: readonly Column[], limits: BatchLimits): RowBatch {
  if (columns.length > COLUMNS_MAX) {
    throw new SallyportError("limit.bytes", `A result has ${columns.length} columns; ${COLUMNS_MAX} is the most.`);
  }
  const meter: RowMeter = { rowBytes: 0, maxCellBytes: limits.cellBytes, maxRowBytes: limits.rowBytes };
  const buffers = columns.map((column) => new ColumnBuffer(column, meter));
  const byName = new Map(columns.map((column, index) => [column.name, index]));
  const fixedBytes = columns.reduce((sum, { type }) => sum + fixedRowBytes(type), 0);
  const variableColumns = columns.filter(({ type }) => isVariable(type)).length;
  const batchBytes = Math.min(limits.batchBytes ?? BATCH_BYTES_DEFAULT, BATCH_BYTES_MAX);
  let length = 0;
  let variableBytes = 0;
  const bytesOf = (rows: number): number =>
    rows === 0 ? 0 : rows * fixedBytes + variableColumns * 4 + columns.length * bitmapBytes(rows) + variableBytes;

  return {
    columns: buffers,
    get length() {
      return length;
    },
    get byteLength() {
      return bytesOf(length);
    },
    get full() {
      return bytesOf(length) >= batchBytes;
    },
    get overflows() {
      return length > 1 && bytesOf(length) > BATCH_BYTES_MAX;
    },
    rowDone() {
      if (length > 0 && bytesOf(length) > BATCH_BYTES_MAX) throw new TypeError("A full batch was not drained.");
      for (const buffer of buffers) {
        if (buffer.length !== length + 1) throw new TypeError(`Column ${buffer.column.name} got no or two values.`);
      }
      if (fixedBytes + meter.rowBytes > limits.rowBytes) {
        throw new SallyportError("limit.bytes", `A row has more than ${limits.rowBytes} bytes.`, {
          limit: "rowBytes",
          bytes: limits.rowBytes,
        });
      }
      variableBytes += meter.rowBytes;
      meter.rowBytes = 0;
      length++;
    },
    takeLastKey(columnNames) {
      if (length === 0) throw new TypeError("An empty batch has no last row.");
      return columnNames.map((name) => {
        const buffer = buffers[byName.get(name) ?? -1];
        if (buffer === undefined) throw new TypeError(`There is no column ${name}.`);
        return keyValue(buffer.view(length), length - 1);
      });
    },
    clear(keep) {
      const kept = keep === "last" && length > 0 ? 1 : 0;
      variableBytes = 0;
      for (const buffer of buffers) {
        buffer.dropFirst(kept === 1 ? length - 1 : buffer.length);
        variableBytes += buffer.variableBytes;
      }
      length = kept;
      meter.rowBytes = 0;
    },
  };
}
