/** How each column type lies in Arrow buffers; encoder, check and reader go by this one table. */

import type { ColumnType } from "./types.ts";

/** A column as its buffers: what the encoder writes and the reader reads. `data` holds `length` values. */
export interface ColumnView {
  readonly type: ColumnType;
  readonly length: number;
  readonly nullCount: number;
  /** One bit a row, 1 = has a value; undefined where no row is NULL. */
  readonly validity: Uint8Array | undefined;
  /** `length + 1` positions: of bytes in `data` for utf8 and binary, of items in `items` for lists, else none. */
  readonly offsets: Int32Array | undefined;
  /** 8-byte aligned; empty for lists. */
  readonly data: Uint8Array;
  /** The second child of a timestampOffset. */
  readonly offsetMinutes: Int16Array | undefined;
  /** The items of all of a list column's rows, one after the other. */
  readonly items?: ColumnView | undefined;
}

/** What the columns of one batch share: the current row's bytes so far, and the limits for it. */
export interface RowMeter {
  rowBytes: number;
  readonly maxCellBytes: number;
  readonly maxRowBytes: number;
}

/** The widest batch, decompressed, unless it is one single row (docs/protocol.md, frame 0x11). */
export const BATCH_BYTES_MAX = 16 * 1024 * 1024;
/** What validity bitmaps and offsets may add to one row of `rowBytes`. */
export const ROW_ALLOWANCE_BYTES = 1024 * 1024;
/** SQL Server's widest result is 4,096 columns. */
export const COLUMNS_MAX = 4096;

export const bitmapBytes = (rows: number): number => Math.ceil(rows / 8);

/** Whether a row's place is told by two offsets. */
export const isVariable = (type: ColumnType): boolean =>
  type.kind === "utf8" || type.kind === "binary" || type.kind === "list";

/** Bytes of one value in a fixed-width column's data buffer; 0 for bits and for variable width. */
export function valueWidth(type: ColumnType): number {
  switch (type.kind) {
    case "bool":
    case "utf8":
    case "binary":
    case "list":
      return 0;
    case "int":
    case "float":
      return type.bits / 8;
    case "decimal":
      return 16;
    case "fixedBinary":
      return type.bytes;
    case "date":
      return 4;
    case "time":
    case "timestamp":
    case "timestampOffset":
      return 8;
    default:
      return type satisfies never;
  }
}

/**
 * What a row of this column counts towards `rowBytes` besides the bytes of text and binary:
 * the width, 4 for an offset, 1 for a bit of a bool, 2 more for an offset from UTC. Validity bits count nothing. An item of a
 * list counts by the same rule.
 */
export function fixedRowBytes(type: ColumnType): number {
  if (isVariable(type)) return 4;
  if (type.kind === "bool") return 1;
  return valueWidth(type) + (type.kind === "timestampOffset" ? 2 : 0);
}

/** Bytes of the values of rows `[from, to)` of a column with offsets, in its data or among its items. */
export function cellBytes({ offsets, items }: ColumnView, from: number, to: number): number {
  const first = offsets![from]!;
  const last = offsets![to]!;
  if (items === undefined) return last - first;
  const fixed = (last - first) * fixedRowBytes(items.type);
  return items.offsets === undefined ? fixed : fixed + items.offsets[last]! - items.offsets[first]!;
}

/** Bytes of the data buffer of a column that is not of variable width. */
export const dataBytes = (type: ColumnType, rows: number): number =>
  type.kind === "bool" ? bitmapBytes(rows) : valueWidth(type) * rows;

/** The numbers that an int column holds and that are exact as JavaScript numbers. */
export function safeRange(type: ColumnType): readonly [min: number, max: number] {
  if (type.kind !== "int") return [0, 0];
  if (type.bits === 64) return [type.signed ? Number.MIN_SAFE_INTEGER : 0, Number.MAX_SAFE_INTEGER];
  return type.signed ? [-(2 ** (type.bits - 1)), 2 ** (type.bits - 1) - 1] : [0, 2 ** type.bits - 1];
}
