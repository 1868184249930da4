/**
 * The header of a received record batch against its schema and its body, before a byte is decompressed: node lengths
 * and null counts, where each buffer lies, and how long each says it will be.
 */

import { SallyportError } from "../protocol/errors.ts";
import { PREFIX_BYTES, STORED, ZSTD } from "./arrow.ts";
import {
  badBatch,
  countAt,
  type FlatTable,
  type FlatVector,
  readCount,
  readTable,
  readUint8,
  readVector,
} from "./flatbuffer.ts";
import { HEADER, openMessage } from "./ipc.ts";
import { BATCH_BYTES_MAX, bitmapBytes, COLUMNS_MAX, dataBytes, isVariable, ROW_ALLOWANCE_BYTES } from "./layout.ts";
import type { Column, ColumnType } from "./types.ts";

/** What a receiver allows: the request's `cellBytes` and `rowBytes`, in bytes as encoded in Arrow. */
export interface CheckLimits {
  readonly cellBytes: number;
  readonly rowBytes: number;
  /** The request's `bytes`, and what is left of them; no bound without it. */
  readonly whole?: { readonly bytes: number; readonly leftBytes: number };
}

/** A buffer as the header declares it. */
export interface DeclaredBuffer {
  readonly content: Uint8Array;
  readonly stored: boolean;
  /** After decompression. */
  readonly bytes: number;
}

export interface DeclaredColumn {
  readonly column: Column;
  readonly nullCount: number;
  /** Of a list: how many items all of its rows have. */
  readonly items: number;
  /** In Arrow's order: validity, then data, or offsets and data, or a struct's four; of a list offsets and its items' own. */
  readonly buffers: readonly DeclaredBuffer[];
}

export interface DeclaredBatch {
  readonly rows: number;
  readonly decompressedBytes: number;
  readonly columns: readonly DeclaredColumn[];
}

const STRUCT_BYTES = 16;
const BUFFERS_OF_STRUCT = 5;
const NODES_OF_STRUCT = 3;
/** Nodes and buffers of the widest batch, and some room for the tables around them. */
const METADATA_BYTES_MAX = COLUMNS_MAX * (NODES_OF_STRUCT + BUFFERS_OF_STRUCT) * STRUCT_BYTES + 4096;
const ROWS_MAX = BATCH_BYTES_MAX * 8;

function bufferCount(type: ColumnType): number {
  if (type.kind === "list") return 2 + bufferCount(type.of);
  if (type.kind === "timestampOffset") return BUFFERS_OF_STRUCT;
  return isVariable(type) ? 3 : 2;
}
const nodeCount = ({ kind }: ColumnType): number =>
  kind === "timestampOffset" ? NODES_OF_STRUCT : kind === "list" ? 2 : 1;
const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);

/**
 * Throws `protocol.batch` for a header that does not describe exactly these columns within these limits, and `limit.bytes`
 * where the batch would become more than is left.
 */
export function checkHeader(message: Uint8Array, columns: readonly Column[], limits: CheckLimits): DeclaredBatch {
  const { header, body } = openMessage(message, HEADER.recordBatch, METADATA_BYTES_MAX);
  const rows = readCount(header, 0);
  if (rows === 0 || rows > ROWS_MAX) throw badBatch("A batch states no rows, or too many.");
  checkCompression(header);
  const types = columns.map(({ type }) => type);
  const nodes = checkNodes(header, columns, rows);
  const buffers = declaredBuffers(header, body, sum(types.map(bufferCount)));
  let next = 0;
  const declared = columns.map((column, index): DeclaredColumn => {
    const own = buffers.slice(next, next + bufferCount(column.type));
    next += own.length;
    const { nulls, items } = nodes[index]!;
    checkSizes(column, column.type, rows, nulls, own);
    if (column.type.kind === "list") checkSizes(column, column.type.of, items, 0, own.slice(2));
    return { column, nullCount: nulls, items, buffers: own };
  });
  const decompressedBytes = sum(buffers.map(({ bytes }) => bytes));
  const most = rows === 1 ? Math.max(BATCH_BYTES_MAX, limits.rowBytes + ROW_ALLOWANCE_BYTES) : BATCH_BYTES_MAX;
  if (decompressedBytes > most) throw badBatch(`A batch of ${rows} rows is to become more than ${most} bytes.`);
  const { whole } = limits;
  if (whole !== undefined && decompressedBytes > whole.leftBytes) {
    const message = `A batch is to become more than what is left of ${whole.bytes} bytes.`;
    throw new SallyportError("limit.bytes", message, { bytes: whole.bytes });
  }
  return { rows, decompressedBytes, columns: declared };
}

function checkCompression(header: FlatTable): void {
  const compression = readTable(header, 3);
  if (compression === undefined) throw badBatch("A batch is not compressed.");
  if (readUint8(compression, 0) !== ZSTD || readUint8(compression, 1) !== 0) {
    throw badBatch("A batch is compressed otherwise than with zstd by buffer.");
  }
  // Variadic buffers belong to types that are not let in: reading at most none of them refuses any.
  readVector(header, 4, 8, 8, 0);
}

/**
 * The columns' null counts, and how many items a list's rows have. Any other node must have the batch's rows; children have no
 * NULLs of their own.
 */
function checkNodes(header: FlatTable, columns: readonly Column[], rows: number): { nulls: number; items: number }[] {
  const expected = sum(columns.map(({ type }) => nodeCount(type)));
  const nodes = structs(header, 1, expected, "nodes");
  const lengthAt = (index: number): number => countAt(header.buffer, nodes.position + index * STRUCT_BYTES);
  const nullsAt = (index: number, most: number): number => {
    const nulls = countAt(header.buffer, nodes.position + index * STRUCT_BYTES + 8);
    if (nulls > most) throw badBatch("A column states more NULLs than it may have.");
    return nulls;
  };
  const nodeAt = (index: number, nullable: boolean): number => {
    if (lengthAt(index) !== rows) throw badBatch("A column has another length than its batch.");
    return nullsAt(index, nullable ? rows : 0);
  };
  const itemsAt = (index: number): number => {
    const items = lengthAt(index);
    if (items > ROWS_MAX) throw badBatch("A list states too many items.");
    nullsAt(index, 0);
    return items;
  };
  let next = 0;
  return columns.map(({ type, nullable }) => {
    const first = next;
    next += nodeCount(type);
    const nulls = nodeAt(first, nullable);
    if (type.kind === "list") return { nulls, items: itemsAt(first + 1) };
    for (let child = first + 1; child < next; child++) nodeAt(child, false);
    return { nulls, items: 0 };
  });
}

function structs(header: FlatTable, slot: number, expected: number, what: string): FlatVector {
  const vector = readVector(header, slot, STRUCT_BYTES, 8, expected);
  if (vector?.length !== expected) throw badBatch(`A batch has other ${what} than its schema.`);
  return vector;
}

/** Every buffer lies in the body, after the one before it, and says how long it will be. */
function declaredBuffers(header: FlatTable, body: Uint8Array, expected: number): DeclaredBuffer[] {
  const vector = structs(header, 2, expected, "buffers");
  const bodyView = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const buffers: DeclaredBuffer[] = [];
  let end = 0;
  for (let index = 0; index < expected; index++) {
    const offset = countAt(header.buffer, vector.position + index * STRUCT_BYTES);
    const length = countAt(header.buffer, vector.position + index * STRUCT_BYTES + 8);
    if (offset % 8 !== 0 || offset < end || length > body.length - offset) {
      throw badBatch("A buffer lies outside the body or over another one.");
    }
    // Padding up to the next multiple of 64 is what Arrow recommends; more would hide something.
    if (offset - end >= 64) throw badBatch("There is a gap between two buffers.");
    end = offset + length;
    buffers.push(declaredBuffer(body.subarray(offset, end), length === 0 ? 0n : prefixAt(bodyView, offset, length)));
  }
  if (body.length - end >= 64) throw badBatch("A body goes on after its last buffer.");
  return buffers;
}

function prefixAt(body: DataView, offset: number, length: number): bigint {
  if (length < PREFIX_BYTES) throw badBatch("A buffer is too short for its length prefix.");
  return body.getBigInt64(offset, true);
}

function declaredBuffer(buffer: Uint8Array, prefix: bigint): DeclaredBuffer {
  const content = buffer.subarray(Math.min(PREFIX_BYTES, buffer.length));
  if (prefix === STORED) return { content, stored: true, bytes: content.length };
  if (prefix < 0n || prefix > 0xffff_ffffn) throw badBatch("A buffer states an impossible length.");
  if ((prefix === 0n) !== (buffer.length === 0)) throw badBatch("An empty buffer is not empty.");
  return { content, stored: prefix === 0n, bytes: Number(prefix) };
}

/** All sizes but those of text and binary data follow from the rows, or a list's items. */
function checkSizes(
  { name }: Column,
  type: ColumnType,
  rows: number,
  nullCount: number,
  buffers: readonly DeclaredBuffer[],
): void {
  const validity = buffers[0]!.bytes;
  if (validity !== bitmapBytes(rows) && (validity !== 0 || nullCount > 0)) {
    throw badBatch(`Column ${name} has a validity bitmap of the wrong size.`);
  }
  const expected = isVariable(type)
    ? [(rows + 1) * 4]
    : type.kind === "timestampOffset"
      ? [0, dataBytes(type, rows), 0, rows * 2]
      : [dataBytes(type, rows)];
  for (const [index, bytes] of expected.entries()) {
    if (buffers[index + 1]!.bytes !== bytes) throw badBatch(`Column ${name} has a buffer of the wrong size.`);
  }
}
