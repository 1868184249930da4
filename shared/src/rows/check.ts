/**
 * Record batches that nobody vouches for. What comes from an agent is a claim (docs/protocol.md, "Session"): nothing else
 * of ours reads a batch before it has passed here.
 *
 * Traps that were measured, and are the reason for reading everything by hand: one changed int32 can end Node beyond
 * any `catch` in a reader that allocates by it; 32 KB of zstd become 1 GiB; `createZstdDecompress` ignores
 * `maxOutputLength` (`zstdDecompressSync` heeds it); of two concatenated zstd frames only the first is read, silently.
 */

import { constants, zstdDecompressSync } from "node:zlib";
import { type CheckLimits, checkHeader, type DeclaredBuffer, type DeclaredColumn } from "./check-header.ts";
import { checkValues } from "./check-values.ts";
import { badBatch } from "./flatbuffer.ts";
import { type ColumnView, cellBytes, fixedRowBytes } from "./layout.ts";
import type { Column, ColumnType } from "./types.ts";

export type { CheckLimits } from "./check-header.ts";

export interface CheckedBatch {
  readonly rows: number;
  /** Of the message. */
  readonly bytes: number;
  readonly decompressedBytes: number;
  /** Decompressed and checked, in the schema's order. */
  readonly columns: readonly ColumnView[];
}

/**
 * Checks one encapsulated record batch message against its schema and decompresses it, at most to 16 MiB, or to
 * `rowBytes` + 1 MiB for one single row, and to what is left of `whole`. Throws `protocol.batch` or `limit.bytes`; it neither reads nor
 * allocates beyond that.
 */
export function checkBatch(message: Uint8Array, columns: readonly Column[], limits: CheckLimits): CheckedBatch {
  const declared = checkHeader(message, columns, limits);
  const views = declared.columns.map((column) => openColumn(column, declared.rows));
  for (const [index, view] of views.entries()) checkValues(columns[index]!, view, limits.cellBytes);
  checkRows(views, declared.rows, limits.rowBytes);
  return { rows: declared.rows, bytes: message.length, decompressedBytes: declared.decompressedBytes, columns: views };
}

function openColumn({ column, nullCount, items, buffers }: DeclaredColumn, rows: number): ColumnView {
  const opened = buffers.map((buffer) => inflate(buffer, column.name));
  const { type } = column;
  if (type.kind !== "list") return viewOf(type, rows, nullCount, opened);
  const [validity, offsets, ...own] = opened;
  const list = viewOf(type, rows, nullCount, [validity!, offsets!, NOTHING]);
  return { ...list, items: viewOf(type.of, items, 0, own) };
}

const NOTHING = new Uint8Array(0);

function viewOf(type: ColumnType, rows: number, nullCount: number, buffers: readonly Uint8Array[]): ColumnView {
  const [validity, second, third, , fifth] = buffers;
  const view = {
    type,
    length: rows,
    nullCount,
    validity: validity!.length === 0 ? undefined : validity,
    offsets: undefined,
    offsetMinutes: undefined,
  };
  if (type.kind === "timestampOffset") {
    return { ...view, data: third!, offsetMinutes: new Int16Array(fifth!.buffer, fifth!.byteOffset, rows) };
  }
  if (third === undefined) return { ...view, data: second! };
  return { ...view, offsets: new Int32Array(second!.buffer, second!.byteOffset, rows + 1), data: third };
}

const WINDOW_LOG_MIN = 22;

/** A stored buffer from this size on is not copied: the copy would cost more than keeping its message. */
const VIEWED_FROM_BYTES = 64 * 1024;

/** The content of a buffer, aligned to 8 bytes; a large stored one is a view of its message. */
function inflate({ content, stored, bytes }: DeclaredBuffer, name: string): Uint8Array {
  if (stored) {
    const view = content.length >= VIEWED_FROM_BYTES && content.byteOffset % 8 === 0;
    return view ? content : new Uint8Array(content);
  }
  const windowLog = Math.max(WINDOW_LOG_MIN, Math.ceil(Math.log2(bytes)));
  try {
    const { buffer, engine } = zstdDecompressSync(content, {
      maxOutputLength: bytes,
      // The output in one chunk (with a byte to spare, or a second one is made), and no larger window than the content needs: a frame may ask for 128 MiB.
      chunkSize: Math.max(64, bytes + 1),
      params: { [constants.ZSTD_d_windowLogMax]: windowLog },
      info: true,
    }) as unknown as { buffer: Buffer; engine: { bytesWritten: number } };
    if (buffer.length === bytes && engine.bytesWritten === content.length) {
      return buffer.byteOffset % 8 === 0 ? buffer : new Uint8Array(buffer);
    }
  } catch {
    // zstd's own words say nothing that helps whoever reads the error.
  }
  throw badBatch(`Column ${name} has a buffer that is not one zstd frame of the stated length.`);
}

/** No row above `rowBytes`. A batch whose data fit one row altogether needs no look at each. */
function checkRows(views: readonly ColumnView[], rows: number, maxRowBytes: number): void {
  const fixedBytes = views.reduce((sum, { type }) => sum + fixedRowBytes(type), 0);
  const variable = views.filter(({ offsets }) => offsets !== undefined);
  const dataTotal = variable.reduce((sum, view) => sum + cellBytes(view, 0, rows), 0);
  if (fixedBytes + dataTotal <= maxRowBytes) return;
  for (let row = 0; row < rows; row++) {
    let bytes = fixedBytes;
    for (const view of variable) bytes += cellBytes(view, row, row + 1);
    if (bytes > maxRowBytes) throw badBatch(`A row has more than ${maxRowBytes} bytes.`);
  }
}
