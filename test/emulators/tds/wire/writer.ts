/** A growing buffer that tokens and rows are written into. */
export interface Writer {
  buffer: Buffer;
  at: number;
}

export const createWriter = (bytes = 131_072): Writer => ({ buffer: Buffer.allocUnsafe(bytes), at: 0 });

/** Makes room for `bytes` more. */
export function ensure(writer: Writer, bytes: number): void {
  const needed = writer.at + bytes;
  if (needed <= writer.buffer.length) return;
  const larger = Buffer.allocUnsafe(Math.max(needed, writer.buffer.length * 2));
  writer.buffer.copy(larger, 0, 0, writer.at);
  writer.buffer = larger;
}

export function u8(writer: Writer, value: number): void {
  ensure(writer, 1);
  writer.buffer[writer.at++] = value;
}

export function u16(writer: Writer, value: number): void {
  ensure(writer, 2);
  writer.at = writer.buffer.writeUInt16LE(value & 0xffff, writer.at);
}

export function u32(writer: Writer, value: number): void {
  ensure(writer, 4);
  writer.at = writer.buffer.writeUInt32LE(value >>> 0, writer.at);
}

export function u64(writer: Writer, value: bigint): void {
  ensure(writer, 8);
  writer.at = writer.buffer.writeBigUInt64LE(BigInt.asUintN(64, value), writer.at);
}

export function bytes(writer: Writer, value: Uint8Array | readonly number[]): void {
  ensure(writer, value.length);
  writer.buffer.set(value, writer.at);
  writer.at += value.length;
}

export function ucs2(writer: Writer, text: string): void {
  ensure(writer, text.length * 2);
  if (text.length > 24) {
    writer.at += writer.buffer.write(text, writer.at, "utf16le");
    return;
  }
  const { buffer } = writer;
  let at = writer.at;
  // For a few characters a loop is faster than the call into native code.
  for (let n = 0; n < text.length; n++) {
    const code = text.charCodeAt(n);
    buffer[at++] = code;
    buffer[at++] = code >> 8;
  }
  writer.at = at;
}

/** B_VARCHAR: a byte of length in characters, then UTF-16. */
export function shortText(writer: Writer, text: string): void {
  u8(writer, text.length);
  ucs2(writer, text);
}

/** US_VARCHAR: two bytes of length. */
export function longText(writer: Writer, text: string): void {
  u16(writer, text.length);
  ucs2(writer, text);
}
