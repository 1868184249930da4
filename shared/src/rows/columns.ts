/**
 * Rows on their way to Arrow: one growable column buffer a column, filled with numbers and byte ranges, so that no
 * BigInt, string or Date is made for a value on the hot path. A batch is filled, drained (`arrow.ts`) and filled again.
 */

import type { Column } from "./types.ts";

/** Bytes as encoded in Arrow: a cell is its data, a row adds the fixed widths and 4 bytes for each offset. */
export interface BatchLimits {
  readonly cellBytes: number;
  readonly rowBytes: number;
  /** From this size on `full` is true; at most 16 MiB. */
  readonly batchBytes?: number;
}

/**
 * One column of a batch. For each row exactly one append. An append throws SallyportError `value.not_exact` (the
 * value does not fit the column's type) or `limit.bytes` (cell or row too large); the batch must then be dropped.
 * Ranges are `[start, end)` of `source`; the bytes are copied.
 */
export interface ColumnBuffer {
  readonly column: Column;
  appendNull(): void;
  appendBool(value: boolean): void;
  /** Any int column; a safe integer within the column's range. */
  appendInt(value: number): void;
  /** Int64 columns; decimal columns take it as the unscaled value (`money`). `low` is a uint32, `high` an int32. */
  appendInt64(low: number, high: number): void;
  appendFloat(value: number): void;
  /** Magnitude of the unscaled value as four uint32, lowest first, and its sign, as TDS sends it. */
  appendDecimal(negative: boolean, word0: number, word1: number, word2: number, word3: number): void;
  /** Text as bytes; invalid UTF-8 and lone surrogates are `value.not_exact`. */
  appendText(source: Uint8Array, start: number, end: number, encoding: "utf8" | "utf16le"): void;
  /** Text that had to be decoded first (code pages). */
  appendString(text: string): void;
  /** Binary columns, or fixed ones of exactly that width (rowversion, a UUID already in RFC order). */
  appendBytes(source: Uint8Array, start: number, end: number): void;
  /** 16 bytes in SQL Server's mixed-endian order. */
  appendUuid(source: Uint8Array, start: number): void;
  /** Days since 1970-01-01, negative before. */
  appendDate(daysSinceEpoch: number): void;
  /** 100 ns ticks since midnight, whatever the scale. */
  appendTime(ticks: number): void;
  /** Days since 1970-01-01 and 100 ns ticks of that day; a utf8 column takes it as ISO text with 7 digits. */
  appendTimestamp(days: number, ticks: number): void;
  /** The instant in UTC (as TDS sends it) and the offset; a utf8 column takes it as ISO text of the local time. */
  appendTimestampOffset(days: number, ticks: number, offsetMinutes: number): void;
}

/** Values of a row as exact JSON for positions and keys: integers and decimals as text, binary as base64url. */
export type KeyValue = string | boolean | null;

export interface RowBatch {
  readonly columns: readonly ColumnBuffer[];
  /** Complete rows. */
  readonly length: number;
  /** Bytes of the complete rows as Arrow buffers, not compressed. */
  readonly byteLength: number;
  /** True from `batchBytes` on: drain it before the next row. */
  readonly full: boolean;
  /** Closes a row; throws when a column got none or more than one value. */
  rowDone(): void;
  /** The last complete row's values of the named columns, in that order. */
  takeLastKey(columnNames: readonly string[]): KeyValue[];
  /** Forgets all rows and keeps the buffers. */
  clear(): void;
}

/** An empty batch for these columns. */
export declare function createBatch(columns: readonly Column[], limits: BatchLimits): RowBatch;
