/** Looks for needles in bytes that come in pieces. */
import type { Needle } from "./encodings.ts";

/** Names of the needles that stand in the pieces taken together, also where one lies across two of them. */
export function findIn(pieces: Iterable<Buffer>, needles: readonly Needle[]): string[] {
  const longest = Math.max(...needles.map(({ bytes }) => bytes.byteLength));
  const found = new Set<string>();
  let tail: Buffer = Buffer.alloc(0);
  for (const piece of pieces) {
    // Copies: the caller may read the next piece into the same memory.
    const seam = Buffer.concat([tail, piece.subarray(0, longest)]);
    for (const { name, bytes } of needles) {
      if (!found.has(name) && (seam.includes(bytes) || piece.includes(bytes))) found.add(name);
    }
    tail = Buffer.from(piece.byteLength >= longest ? piece.subarray(1 - longest) : seam.subarray(1 - longest));
  }
  return [...found];
}
