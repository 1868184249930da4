/** Text to UTF-8, as Arrow stores it, from bytes to bytes without a string: UTF-16LE, as SQL Server sends `nvarchar`, and UTF-8. */
import { isUtf8 } from "node:buffer";

const isHighSurrogate = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdbff;
const isLowSurrogate = (unit: number): boolean => unit >= 0xdc00 && unit <= 0xdfff;

/**
 * Writes the UTF-8 form of `source[start, end)` to `target` from `at` on and returns the position after it, or -1
 * where the text has no UTF-8 form (a lone surrogate, half a unit). `target` has room for 3 bytes a unit.
 */
export function utf16leToUtf8(source: Uint8Array, start: number, end: number, target: Uint8Array, at: number): number {
  if ((end - start) % 2 !== 0) return -1;
  for (let from = start; from < end; from += 2) {
    const unit = source[from]! | (source[from + 1]! << 8);
    if (unit < 0x80) {
      target[at++] = unit;
    } else if (unit < 0x800) {
      target[at++] = 0xc0 | (unit >> 6);
      target[at++] = 0x80 | (unit & 0x3f);
    } else if (unit < 0xd800 || unit > 0xdfff) {
      target[at++] = 0xe0 | (unit >> 12);
      target[at++] = 0x80 | ((unit >> 6) & 0x3f);
      target[at++] = 0x80 | (unit & 0x3f);
    } else {
      const next = from + 2 < end ? source[from + 2]! | (source[from + 3]! << 8) : 0;
      if (!isHighSurrogate(unit) || !isLowSurrogate(next)) return -1;
      const point = 0x10000 + ((unit - 0xd800) << 10) + (next - 0xdc00);
      target[at++] = 0xf0 | (point >> 18);
      target[at++] = 0x80 | ((point >> 12) & 0x3f);
      target[at++] = 0x80 | ((point >> 6) & 0x3f);
      target[at++] = 0x80 | (point & 0x3f);
      from += 2;
    }
  }
  return at;
}

/** How many bytes `source[start, end)` takes as UTF-8; right for well-formed text, an upper bound for any other. */
export function utf8LengthOfUtf16le(source: Uint8Array, start: number, end: number): number {
  let bytes = 0;
  for (let from = start; from + 1 < end; from += 2) {
    const unit = source[from]! | (source[from + 1]! << 8);
    // The two halves of a pair count 3 + 1.
    bytes += unit < 0x80 ? 1 : unit < 0x800 ? 2 : isLowSurrogate(unit) ? 1 : 3;
  }
  return bytes;
}

/** Copies `source[start, end)` to `target` from `at` on; false where it is not valid UTF-8. */
export function copyUtf8(source: Uint8Array, start: number, end: number, target: Uint8Array, at: number): boolean {
  let high = 0;
  for (let from = start, to = at; from < end; from++, to++) {
    const byte = source[from]!;
    high |= byte;
    target[to] = byte;
  }
  return high < 0x80 || isUtf8(source.subarray(start, end));
}
