/**
 * The mask `hash`: HMAC-SHA-256 (RFC 2104) as base64url. Written out over one-shot hashes, because for short values an HMAC
 * object costs five times as much; `hash.test.ts` holds it against Node's own.
 */
import { hash } from "node:crypto";

const BLOCK_BYTES = 64;
const DIGEST_BYTES = 32;
const INNER_PAD = 0x36;
const OUTER_PAD = 0x5c;
/** What is longer is hashed from a copy of its own. */
const ROOM_BYTES = 8192;

/** The hash of the bytes from `start` to `end` of `data`. */
export type HashValue = (data: Uint8Array, start: number, end: number) => string;

/** @param key of at most 64 bytes, which is what a mask key has (32) */
export function createHash(key: Uint8Array): HashValue {
  if (key.byteLength > BLOCK_BYTES) throw new TypeError("A mask key is longer than a block of SHA-256.");
  const inner = padded(key, INNER_PAD, ROOM_BYTES);
  const outer = padded(key, OUTER_PAD, DIGEST_BYTES);
  return (data, start, end) => {
    const bytes = end - start;
    const room = bytes <= ROOM_BYTES ? inner : padded(key, INNER_PAD, bytes);
    room.set(data.subarray(start, end), BLOCK_BYTES);
    outer.set(hash("sha256", room.subarray(0, BLOCK_BYTES + bytes), "buffer"), BLOCK_BYTES);
    return hash("sha256", outer, "base64url");
  };
}

/** The key, filled up to a block and mixed with a pad, with room for what is hashed behind it. */
function padded(key: Uint8Array, pad: number, roomBytes: number): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES + roomBytes);
  block.fill(pad, 0, BLOCK_BYTES);
  key.forEach((byte, at) => {
    block[at] = byte ^ pad;
  });
  return block;
}
