/** Reads from a buffer that may end in the middle of a value: then `NotEnough` is thrown and the caller tries again. */
export interface Reader {
  buffer: Buffer;
  at: number;
}

export class NotEnough extends Error {}
const NOT_ENOUGH = new NotEnough("the message ends in the middle of a value");

export function take(reader: Reader, count: number): Buffer {
  const end = reader.at + count;
  if (end > reader.buffer.length) throw NOT_ENOUGH;
  const part = reader.buffer.subarray(reader.at, end);
  reader.at = end;
  return part;
}

function step(reader: Reader, count: number): number {
  const from = reader.at;
  if (from + count > reader.buffer.length) throw NOT_ENOUGH;
  reader.at = from + count;
  return from;
}

export const u8 = (reader: Reader): number => reader.buffer.readUInt8(step(reader, 1));
export const u16 = (reader: Reader): number => reader.buffer.readUInt16LE(step(reader, 2));
export const i16 = (reader: Reader): number => reader.buffer.readInt16LE(step(reader, 2));
export const u32 = (reader: Reader): number => reader.buffer.readUInt32LE(step(reader, 4));
export const i32 = (reader: Reader): number => reader.buffer.readInt32LE(step(reader, 4));
export const i64 = (reader: Reader): bigint => reader.buffer.readBigInt64LE(step(reader, 8));
export const u64 = (reader: Reader): bigint => reader.buffer.readBigUInt64LE(step(reader, 8));
export const f32 = (reader: Reader): number => reader.buffer.readFloatLE(step(reader, 4));
export const f64 = (reader: Reader): number => reader.buffer.readDoubleLE(step(reader, 8));
export const unsigned = (reader: Reader, count: number): number => reader.buffer.readUIntLE(step(reader, count), count);
export const ucs2 = (reader: Reader, characters: number): string => take(reader, characters * 2).toString("utf16le");
export const shortText = (reader: Reader): string => ucs2(reader, u8(reader));
export const longText = (reader: Reader): string => ucs2(reader, u16(reader));

/** ALL_HEADERS [MS-TDS 2.2.5.3]: the transaction descriptor that the client believes in. */
export function allHeaders(reader: Reader): { readonly descriptor: bigint } {
  const start = reader.at;
  const end = start + u32(reader);
  let descriptor = 0n;
  while (reader.at < end) {
    const from = reader.at;
    const length = u32(reader);
    if (length < 6) throw new RangeError(`a header of ${length} bytes`);
    if (u16(reader) === 2) descriptor = u64(reader);
    reader.at = from + length;
  }
  reader.at = end;
  return { descriptor };
}
