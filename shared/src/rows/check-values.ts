/** What the bytes of a decompressed column must be, so that every reader after us finds what the schema promises. */

import { isUtf8 } from "node:buffer";
import { badBatch } from "./flatbuffer.ts";
import { type ColumnView, cellBytes } from "./layout.ts";
import type { Column } from "./types.ts";
import { decimalLimit, isBelow } from "./words.ts";

const NANOSECONDS_PER_DAY = 86_400_000_000_000n;
const OFFSET_MINUTES_MAX = 14 * 60;
const BITS = Uint8Array.from({ length: 256 }, (_, byte) => byte.toString(2).replaceAll("0", "").length);

/** Throws `protocol.batch` naming the column. `maxCellBytes` bounds each text and binary value. */
export function checkValues(column: Column, view: ColumnView, maxCellBytes: number): void {
  if (countNulls(view) !== view.nullCount)
    throw badBatch(`Column ${column.name} has another count of NULLs than it states.`);
  const { type } = column;
  if (type.kind === "list") checkValues({ ...column, type: type.of, nullable: false }, view.items!, maxCellBytes);
  if (view.offsets !== undefined) checkOffsets(column, view, view.offsets, maxCellBytes);
  if (type.kind === "utf8") checkText(column, view, view.offsets!);
  if (type.kind === "decimal") checkDecimals(column, view, type.precision);
  if (type.kind === "time") checkTimes(column, view);
  if (type.kind === "timestampOffset") checkOffsetMinutes(column, view.offsetMinutes!);
}

function countNulls({ validity, length }: ColumnView): number {
  if (validity === undefined) return 0;
  let valid = 0;
  const whole = length >> 3;
  for (let index = 0; index < whole; index++) valid += BITS[validity[index]!]!;
  // Bits after the last row mean nothing.
  if (length % 8 !== 0) valid += BITS[validity[whole]! & ((1 << (length % 8)) - 1)]!;
  return length - valid;
}

function checkOffsets({ name }: Column, view: ColumnView, offsets: Int32Array, maxCellBytes: number): void {
  if (offsets[0] !== 0 || offsets[view.length] !== (view.items?.length ?? view.data.length)) {
    throw badBatch(`Column ${name} has positions that do not span its data.`);
  }
  for (let row = 0; row < view.length; row++) {
    if (offsets[row + 1]! < offsets[row]!) throw badBatch(`Column ${name} has positions that go backwards.`);
    if (cellBytes(view, row, row + 1) > maxCellBytes)
      throw badBatch(`Column ${name} has a cell of more than ${maxCellBytes} bytes.`);
  }
}

function checkText({ name }: Column, { data, length }: ColumnView, offsets: Int32Array): void {
  if (!isUtf8(data)) throw badBatch(`Column ${name} has text that is not UTF-8.`);
  for (let row = 1; row < length; row++) {
    // Valid as a whole, yet cut within a character.
    if (((data[offsets[row]!] ?? 0) & 0xc0) === 0x80) throw badBatch(`Column ${name} has text that is not UTF-8.`);
  }
}

function checkDecimals({ name }: Column, { data, length }: ColumnView, precision: number): void {
  const words = new Uint32Array(data.buffer, data.byteOffset, length * 4);
  const limit = decimalLimit(precision);
  for (let at = 0; at < words.length; at += 4) {
    const negative = words[at + 3]! >= 0x8000_0000;
    let carry = negative ? 1 : 0;
    const magnitude = (index: number): number => {
      if (!negative) return words[at + index]!;
      const inverted = (~words[at + index]! >>> 0) + carry;
      carry = inverted > 0xffff_ffff ? 1 : 0;
      return inverted >>> 0;
    };
    if (!isBelow(limit, magnitude(0), magnitude(1), magnitude(2), magnitude(3))) {
      throw badBatch(`Column ${name} has a decimal of more than ${precision} digits.`);
    }
  }
}

function checkTimes({ name }: Column, { data, length }: ColumnView): void {
  for (const time of new BigInt64Array(data.buffer, data.byteOffset, length)) {
    if (time < 0n || time >= NANOSECONDS_PER_DAY) throw badBatch(`Column ${name} has a time outside a day.`);
  }
}

function checkOffsetMinutes({ name }: Column, offsetMinutes: Int16Array): void {
  for (const minutes of offsetMinutes) {
    if (Math.abs(minutes) > OFFSET_MINUTES_MAX) throw badBatch(`Column ${name} has an offset of more than 14 hours.`);
  }
}
