/** 64- and 128-bit integers written as 32-bit words, lowest first: numbers and BigInt are too narrow or too slow. */

const TWO_32 = 4_294_967_296;
export const TICKS_PER_DAY = 864_000_000_000;

export type TickUnit = "ms" | "us" | "ns";

/** A safe integer as the int64 at `index`. */
export function storeInt64(words: Int32Array, index: number, value: number): void {
  words[index * 2] = value % TWO_32;
  words[index * 2 + 1] = Math.floor(value / TWO_32);
}

/** A magnitude of four uint32 and a sign as the 128-bit two's complement integer at `index`. */
export function storeInt128(
  words: Int32Array,
  index: number,
  negative: boolean,
  word0: number,
  word1: number,
  word2: number,
  word3: number,
): void {
  const at = index * 4;
  if (!negative) {
    words[at] = word0;
    words[at + 1] = word1;
    words[at + 2] = word2;
    words[at + 3] = word3;
    return;
  }
  // Two's complement: invert and add one; the one is carried on as long as a word turns to zero.
  words[at] = -word0;
  words[at + 1] = word0 === 0 ? -word1 : ~word1;
  words[at + 2] = word0 === 0 && word1 === 0 ? -word2 : ~word2;
  words[at + 3] = word0 === 0 && word1 === 0 && word2 === 0 ? -word3 : ~word3;
}

/** 10^precision as four uint32, lowest first: the first magnitude a decimal of that precision cannot hold. */
export function decimalLimit(precision: number): readonly [number, number, number, number] {
  const limit = 10n ** BigInt(precision);
  const word = (index: bigint): number => Number((limit >> (32n * index)) & 0xffffffffn);
  return [word(0n), word(1n), word(2n), word(3n)];
}

/** Whether a magnitude of four uint32, lowest first, is below a limit of the same form. */
export function isBelow(
  limit: readonly [number, number, number, number],
  word0: number,
  word1: number,
  word2: number,
  word3: number,
): boolean {
  if (word3 !== limit[3]) return word3 < limit[3];
  if (word2 !== limit[2]) return word2 < limit[2];
  if (word1 !== limit[1]) return word1 < limit[1];
  return word0 < limit[0];
}

/**
 * Days since 1970-01-01 and 100 ns ticks of that day as the int64 count of `unit` at `index`. False, and nothing
 * stored that counts, where that is not exact: ticks outside a day, finer than the unit, or beyond 64 bits.
 */
export function storeInstant(words: Int32Array, index: number, unit: TickUnit, days: number, ticks: number): boolean {
  if (!(ticks >= 0 && ticks < TICKS_PER_DAY)) return false;
  const perDay = unit === "ns" ? 86_400_000_000_000 : unit === "us" ? 86_400_000_000 : 86_400_000;
  const count = unit === "ns" ? ticks * 100 : unit === "us" ? ticks / 10 : ticks / 10_000;
  if (!Number.isInteger(count) || !Number.isInteger(days) || days < -4_000_000 || days > 4_000_000) return false;
  // days × perDay exceeds 2^53, so it is done in halves; |days| < 2^22, and below 2^18 wherever nanoseconds fit.
  const perDayHigh = Math.floor(perDay / TWO_32);
  const low = days * (perDay - perDayHigh * TWO_32) + count;
  const high = days * perDayHigh + Math.floor(low / TWO_32);
  words[index * 2] = low % TWO_32;
  words[index * 2 + 1] = high;
  return high >= -2_147_483_648 && high <= 2_147_483_647;
}

/** Windows' mixed-endian order of a UUID's 16 bytes. */
const UUID_ORDER = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15] as const;

/** 16 bytes in that order as the UUID at `to`, in RFC 9562 order. */
export function storeUuid(data: Uint8Array, to: number, source: Uint8Array, start: number): void {
  for (let index = 0; index < 16; index++) data[to + index] = source[start + UUID_ORDER[index]!]!;
}
