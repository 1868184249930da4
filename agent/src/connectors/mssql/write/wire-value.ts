/** One exact value as TDS has it: length and data [MS-TDS 2.2.5.5]. What does not fit its type is refused, never rounded. */
import type { RowBytes } from "./row-bytes.ts";

/** Why a value cannot be written as it is; the words continue "A value of column x (decimal(9,2)) …". */
export class Unfit extends Error {}

export const DAYS_0001_TO_1970 = 719_162;
/** 9999-12-31, in days since 0001-01-01. */
const LAST_DAY = 3_652_058;
const DAYS_0001_TO_1900 = 693_595;
const DAYS_0001_TO_1753 = 639_905;
export const TICKS_A_DAY = 864_000_000_000;
const TICKS_A_MINUTE = 600_000_000;

export function putInteger(out: RowBytes, bytes: 1 | 2 | 4 | 8, value: bigint): void {
  const bits = bytes * 8;
  const fits = bytes === 1 ? BigInt.asUintN(8, value) === value : BigInt.asIntN(bits, value) === value;
  if (!fits) throw new Unfit("is too large for it");
  out.reserve(9);
  out.buffer[out.at] = bytes;
  for (let at = 1, rest = value; at <= bytes; at++, rest >>= 8n) out.buffer[out.at + at] = Number(rest & 0xffn);
  out.at += bytes + 1;
}

export function putFloat(out: RowBytes, bytes: 4 | 8, value: number): void {
  if (!Number.isFinite(value)) throw new Unfit("is no number that SQL Server has");
  if (bytes === 4 && Math.fround(value) !== value) throw new Unfit("has more digits than it holds");
  out.reserve(9);
  out.buffer[out.at] = bytes;
  if (bytes === 4) out.buffer.writeFloatLE(value, out.at + 1);
  else out.buffer.writeDoubleLE(value, out.at + 1);
  out.at += bytes + 1;
}

const POWERS = Array.from({ length: 39 }, (_, digits) => 10n ** BigInt(digits));
export const power10 = (digits: number): bigint => POWERS[digits] ?? 10n ** BigInt(digits);

/** Bytes of a decimal's magnitude, by its precision. */
const decimalBytes = (precision: number): number =>
  precision <= 9 ? 4 : precision <= 19 ? 8 : precision <= 28 ? 12 : 16;

export function putDecimal(out: RowBytes, precision: number, unscaled: bigint): void {
  const magnitude = unscaled < 0n ? -unscaled : unscaled;
  if (magnitude >= power10(precision)) throw new Unfit("has more digits than it holds");
  const bytes = decimalBytes(precision);
  out.reserve(18);
  out.buffer[out.at] = bytes + 1;
  out.buffer[out.at + 1] = unscaled < 0n ? 0 : 1;
  out.buffer.writeBigUInt64LE(BigInt.asUintN(64, magnitude), out.at + 2);
  if (bytes > 8) out.buffer.writeBigUInt64LE(magnitude >> 64n, out.at + 10);
  out.at += bytes + 2;
}

/** Ten-thousandths; the eight bytes of `money` begin with the high half. */
export function putMoney(out: RowBytes, bytes: 4 | 8, unscaled: bigint): void {
  if (BigInt.asIntN(bytes * 8, unscaled) !== unscaled) throw new Unfit("has more digits than it holds");
  out.reserve(9);
  out.buffer[out.at] = bytes;
  if (bytes === 8) out.buffer.writeInt32LE(Number(unscaled >> 32n), out.at + 1);
  out.buffer.writeInt32LE(Number(BigInt.asIntN(32, unscaled)), out.at + (bytes === 8 ? 5 : 1));
  out.at += bytes + 1;
}

/** @param days since 0001-01-01 */
function requireDay(days: number): void {
  if (days < 0 || days > LAST_DAY) throw new Unfit("is before the year 1 or after 9999");
}

function putDays(out: RowBytes, days: number): void {
  out.buffer.writeUIntLE(days, out.at, 3);
  out.at += 3;
}

export function putDate(out: RowBytes, days: number): void {
  requireDay(days);
  out.reserve(4);
  out.buffer[out.at++] = 3;
  putDays(out, days);
}

const timeBytes = (scale: number): number => (scale <= 2 ? 3 : scale <= 4 ? 4 : 5);

/** 100 ns in units of the scale. */
function scaled(ticks: number, scale: number): number {
  const unit = 10 ** (7 - scale);
  if (ticks % unit !== 0) throw new Unfit("has more digits of a second than it holds");
  return ticks / unit;
}

/** @param ticks 100 ns since midnight */
export const putTime = (out: RowBytes, scale: number, ticks: number): void => putTicks(out, scale, ticks, 0);

/** The value's length and its time of the day. @param more bytes of the value that the caller puts after it */
function putTicks(out: RowBytes, scale: number, ticks: number, more: number): void {
  const bytes = timeBytes(scale);
  out.reserve(1 + bytes + more);
  out.buffer[out.at] = bytes + more;
  out.buffer.writeUIntLE(scaled(ticks, scale), out.at + 1, bytes);
  out.at += bytes + 1;
}

export function putDateTime2(out: RowBytes, scale: number, days: number, ticks: number): void {
  requireDay(days);
  putTicks(out, scale, ticks, 3);
  putDays(out, days);
}

/** Day and time are those of UTC. */
export function putDateTimeOffset(out: RowBytes, scale: number, days: number, ticks: number, offset: number): void {
  if (Math.abs(offset) > 840) throw new Unfit("has an offset of more than 14 hours");
  const local = days * 1440 + Math.floor(ticks / TICKS_A_MINUTE) + offset;
  requireDay(Math.floor(local / 1440));
  requireDay(days);
  putTicks(out, scale, ticks, 5);
  putDays(out, days);
  out.buffer.writeInt16LE(offset, out.at);
  out.at += 2;
}

/** Steps of 1/300 s, which SQL Server shows as .000, .003 and .007: any other millisecond it would round. */
export function putDateTime(out: RowBytes, days: number, ticks: number): void {
  if (days < DAYS_0001_TO_1753 || days > LAST_DAY) throw new Unfit("is before 1753 or after 9999");
  const ms = ticks / 10_000;
  const steps = Math.round(ms * 0.3);
  if (Math.round((steps * 10) / 3) !== ms) throw new Unfit("is between the steps of 3 ms that it has");
  out.reserve(9);
  out.buffer[out.at] = 8;
  out.buffer.writeInt32LE(days - DAYS_0001_TO_1900, out.at + 1);
  out.buffer.writeUInt32LE(steps, out.at + 5);
  out.at += 9;
}

export function putSmallDateTime(out: RowBytes, days: number, ticks: number): void {
  const day = days - DAYS_0001_TO_1900;
  if (day < 0 || day > 0xffff) throw new Unfit("is before 1900 or after 2079-06-06");
  if (ticks % TICKS_A_MINUTE !== 0) throw new Unfit("has seconds, which it does not hold");
  out.reserve(5);
  out.buffer[out.at] = 4;
  out.buffer.writeUInt16LE(day, out.at + 1);
  out.buffer.writeUInt16LE(ticks / TICKS_A_MINUTE, out.at + 3);
  out.at += 5;
}

/** `uuid`: 16 bytes in RFC 9562 order; the first three groups turn around on the wire. */
export function putUuid(out: RowBytes, uuid: Uint8Array, start: number): void {
  out.reserve(17);
  const { buffer } = out;
  let to = out.at;
  buffer[to++] = 16;
  for (const from of [3, 2, 1, 0, 5, 4, 7, 6]) buffer[to++] = uuid[start + from]!;
  for (let from = 8; from < 16; from++) buffer[to++] = uuid[start + from]!;
  out.at = to;
}

/** A length of two bytes, or, of a `max` type, pieces: here always one [MS-TDS 2.2.5.2.3]. */
export function putBytes(out: RowBytes, isMax: boolean, data: Uint8Array, start: number, end: number): void {
  const length = end - start;
  out.reserve(length + 16);
  if (isMax) beginLarge(out, length);
  else out.at = out.buffer.writeUInt16LE(length, out.at);
  out.buffer.set(data.subarray(start, end), out.at);
  out.at += length;
  if (isMax) endLarge(out);
}

/** UTF-8 to UTF-16LE. @returns how many characters of two bytes it took */
export function putText(out: RowBytes, isMax: boolean, utf8: Buffer, start: number, end: number): number {
  out.reserve((end - start) * 2 + 16);
  const lengthAt = out.at;
  out.at += isMax ? 12 : 2;
  const from = out.at;
  if (!putAscii(out, utf8, start, end)) {
    out.at = from;
    out.at += out.buffer.write(utf8.toString("utf8", start, end), from, "utf16le");
  }
  const bytes = out.at - from;
  if (isMax) {
    out.at = lengthAt;
    beginLarge(out, bytes);
    out.at += bytes;
    endLarge(out);
  } else out.buffer.writeUInt16LE(Math.min(bytes, 0xfffe), lengthAt);
  return bytes / 2;
}

/** False where it met another character; what it wrote so far is to be written again. */
function putAscii(out: RowBytes, utf8: Buffer, start: number, end: number): boolean {
  const { buffer } = out;
  let { at } = out;
  for (let from = start; from < end; from++) {
    const byte = utf8[from]!;
    if (byte > 0x7f) return false;
    buffer[at] = byte;
    buffer[at + 1] = 0;
    at += 2;
  }
  out.at = at;
  return true;
}

/** Where there is no data, there is no piece: only the end. The 4 bytes of a piece's length are moved over. */
function beginLarge(out: RowBytes, length: number): void {
  out.at = out.buffer.writeBigUInt64LE(BigInt(length), out.at);
  if (length > 0) out.at = out.buffer.writeUInt32LE(length, out.at);
}

function endLarge(out: RowBytes): void {
  out.at = out.buffer.writeUInt32LE(0, out.at);
}

/** NULL of a type with a length of one byte. */
export function putNull(out: RowBytes): void {
  out.reserve(1);
  out.buffer[out.at++] = 0;
}

/** NULL of text and binary. */
export function putNullBytes(out: RowBytes, isMax: boolean): void {
  out.reserve(8);
  out.buffer.fill(0xff, out.at, out.at + (isMax ? 8 : 2));
  out.at += isMax ? 8 : 2;
}
