/**
 * Reading FlatBuffers that somebody else wrote. Every access is checked against the buffer, and nothing is followed
 * twice: a wrong offset is `protocol.batch`, never a read out of range or an endless loop. (The generated readers of
 * `flatbuffers` check nothing.) Format: https://flatbuffers.dev/internals/
 */

import { SallyportError } from "../protocol/errors.ts";

export const badBatch = (message: string): SallyportError => new SallyportError("protocol.batch", message);

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A table inside a buffer; slots are counted from 0 in the order of the schema's fields. */
export interface FlatTable {
  /** Bytes before which all positions are checked. */
  readonly buffer: DataView;
  readonly position: number;
  readonly vtable: number;
  readonly vtableBytes: number;
  readonly tableBytes: number;
}

/** A vector of `length` elements whose first byte is at `position`. */
export interface FlatVector {
  readonly position: number;
  readonly length: number;
}

/** Range and alignment: other readers of the same bytes (Rust's verifier) insist on both. */
function at(buffer: DataView, position: number, bytes: number, alignment: number): number {
  if (position < 0 || position > buffer.byteLength - bytes || position % alignment !== 0) {
    throw badBatch("A FlatBuffer offset points outside its message.");
  }
  return position;
}

function tableAt(buffer: DataView, position: number): FlatTable {
  at(buffer, position, 4, 4);
  const vtable = at(buffer, position - buffer.getInt32(position, true), 4, 2);
  const vtableBytes = buffer.getUint16(vtable, true);
  const tableBytes = buffer.getUint16(vtable + 2, true);
  if (vtableBytes < 4 || vtableBytes % 2 !== 0 || tableBytes < 4) throw badBatch("A FlatBuffer table is malformed.");
  at(buffer, vtable, vtableBytes, 2);
  at(buffer, position, tableBytes, 4);
  return { buffer, position, vtable, vtableBytes, tableBytes };
}

/** The root table of a buffer. */
export function rootTable(bytes: Uint8Array): FlatTable {
  const buffer = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  at(buffer, 0, 4, 4);
  return tableAt(buffer, buffer.getUint32(0, true));
}

/** Where the field of a slot lies, or undefined where the table leaves it out. */
function field(table: FlatTable, slot: number, bytes: number): number | undefined {
  const entry = 4 + slot * 2;
  if (entry + 2 > table.vtableBytes) return undefined;
  const offset = table.buffer.getUint16(table.vtable + entry, true);
  if (offset === 0) return undefined;
  if (offset < 4 || offset + bytes > table.tableBytes) throw badBatch("A FlatBuffer field lies outside its table.");
  return at(table.buffer, table.position + offset, bytes, bytes);
}

/** The target of the offset stored at `position`. */
const follow = (buffer: DataView, position: number): number => position + buffer.getUint32(position, true);

export function readUint8(table: FlatTable, slot: number, absent = 0): number {
  const position = field(table, slot, 1);
  return position === undefined ? absent : table.buffer.getUint8(position);
}

export function readBool(table: FlatTable, slot: number): boolean {
  const value = readUint8(table, slot);
  if (value > 1) throw badBatch("A FlatBuffer bool is neither 0 nor 1.");
  return value === 1;
}

export function readInt16(table: FlatTable, slot: number, absent = 0): number {
  const position = field(table, slot, 2);
  return position === undefined ? absent : table.buffer.getInt16(position, true);
}

export function readInt32(table: FlatTable, slot: number, absent = 0): number {
  const position = field(table, slot, 4);
  return position === undefined ? absent : table.buffer.getInt32(position, true);
}

/** An int64 that must be a count: 0 to 2^53 - 1. */
export function readCount(table: FlatTable, slot: number): number {
  const position = field(table, slot, 8);
  return position === undefined ? 0 : countAt(table.buffer, position);
}

export function countAt(buffer: DataView, position: number): number {
  const high = buffer.getInt32(position + 4, true);
  if (high < 0 || high > 0x1fffff) throw badBatch("A length or offset is negative or beyond 2^53.");
  return high * 4_294_967_296 + buffer.getUint32(position, true);
}

export function readTable(table: FlatTable, slot: number): FlatTable | undefined {
  const position = field(table, slot, 4);
  return position === undefined ? undefined : tableAt(table.buffer, follow(table.buffer, position));
}

/** A vector of structs or scalars of `elementBytes`; at most `most` elements. */
export function readVector(
  table: FlatTable,
  slot: number,
  elementBytes: number,
  alignment: number,
  most: number,
): FlatVector | undefined {
  const { buffer } = table;
  const reference = field(table, slot, 4);
  if (reference === undefined) return undefined;
  const start = at(buffer, follow(buffer, reference), 4, 4);
  const length = buffer.getUint32(start, true);
  if (length > most) throw badBatch(`A FlatBuffer vector has ${length} elements; ${most} is the most here.`);
  return { position: length === 0 ? start + 4 : at(buffer, start + 4, length * elementBytes, alignment), length };
}

/** A vector of tables. */
export function readTables(table: FlatTable, slot: number, most: number): FlatTable[] {
  const vector = readVector(table, slot, 4, 4, most);
  const tables: FlatTable[] = [];
  for (let index = 0; index < (vector?.length ?? 0); index++) {
    tables.push(tableAt(table.buffer, follow(table.buffer, vector!.position + index * 4)));
  }
  return tables;
}

/** Text of at most `mostBytes`; ends with a zero byte in the buffer, as the format wants. */
export function readText(table: FlatTable, slot: number, mostBytes: number): string | undefined {
  const vector = readVector(table, slot, 1, 1, mostBytes);
  if (vector === undefined) return undefined;
  const { buffer } = table;
  const end = vector.position + vector.length;
  if (buffer.getUint8(at(buffer, end, 1, 1)) !== 0) throw badBatch("A FlatBuffer text does not end with a zero byte.");
  try {
    return utf8.decode(new Uint8Array(buffer.buffer, buffer.byteOffset + vector.position, vector.length));
  } catch {
    throw badBatch("A FlatBuffer text is not UTF-8.");
  }
}
