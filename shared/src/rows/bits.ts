/** Bitmaps as Arrow lays them out, one bit a value, the lowest first; and arrays that grow. */

/** What was in the old one at the front of the larger one. */
export function grown<T extends Uint8Array | Int16Array | Int32Array>(old: T, larger: T): T {
  larger.set(old);
  return larger;
}

export const bitAt = (bits: Uint8Array, index: number): boolean => (bits[index >> 3]! & (1 << (index & 7))) !== 0;

/** Moves the bits `[from, to)` to the front and clears those behind them, up to `to`. */
export function moveBits(bits: Uint8Array, from: number, to: number): void {
  const kept = to - from;
  for (let index = 0; index < kept; index++) {
    const mask = 1 << (index & 7);
    if (bitAt(bits, from + index)) bits[index >> 3]! |= mask;
    else bits[index >> 3]! &= ~mask;
  }
  const whole = Math.ceil(kept / 8);
  if (kept % 8 !== 0) bits[whole - 1]! &= (1 << (kept % 8)) - 1;
  bits.fill(0, whole, Math.ceil(to / 8));
}
