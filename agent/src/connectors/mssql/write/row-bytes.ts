/** Bytes of rows for the server, written one value after the other [MS-TDS 2.2.5.5]. Grows, and is emptied in chunks. */

export interface RowBytes {
  /** Where the next byte goes. Set it after writing straight into `buffer`. */
  at: number;
  readonly buffer: Buffer;
  /** Makes room for so many more bytes; `buffer` may be another one afterwards. */
  reserve(bytes: number): void;
  /** All that was written, as a copy, and begins anew. */
  take(): Buffer;
}

const FIRST_BYTES = 256 * 1024;

export function createRowBytes(): RowBytes {
  let buffer = Buffer.allocUnsafe(FIRST_BYTES);
  const self = {
    at: 0,
    get buffer() {
      return buffer;
    },
    reserve(bytes: number) {
      if (self.at + bytes <= buffer.length) return;
      const larger = Buffer.allocUnsafe(Math.max(buffer.length * 2, self.at + bytes));
      buffer.copy(larger, 0, 0, self.at);
      buffer = larger;
    },
    take() {
      const taken = Buffer.from(buffer.subarray(0, self.at));
      self.at = 0;
      return taken;
    },
  };
  return self;
}
