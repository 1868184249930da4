/**
 * MD4 [RFC 1320], which NTLM's keys begin with: OpenSSL 3 has it switched off. Nothing but NTLM may use it.
 */

const BLOCK_BYTES = 64;
const LENGTH_BYTES = 8;

/** Of each of the three rounds: what is added, which word each of its 16 steps takes, and the four shifts. */
const ROUNDS = [
  { add: 0, words: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15], shifts: [3, 7, 11, 19] },
  { add: 0x5a827999, words: [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15], shifts: [3, 5, 9, 13] },
  { add: 0x6ed9eba1, words: [0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15], shifts: [3, 9, 11, 15] },
] as const;

const MIX = [
  (x: number, y: number, z: number): number => (x & y) | (~x & z),
  (x: number, y: number, z: number): number => (x & y) | (x & z) | (y & z),
  (x: number, y: number, z: number): number => x ^ y ^ z,
] as const;

const rotate = (word: number, by: number): number => (word << by) | (word >>> (32 - by));

/** 16 bytes. */
export function md4(message: Uint8Array): Buffer {
  const padded = pad(message);
  let state: readonly [number, number, number, number] = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476];
  for (let at = 0; at < padded.byteLength; at += BLOCK_BYTES) state = withBlock(state, padded, at);
  const digest = Buffer.alloc(16);
  state.forEach((word, index) => {
    digest.writeInt32LE(word | 0, index * 4);
  });
  return digest;
}

function pad(message: Uint8Array): Buffer {
  const blocks = Math.ceil((message.byteLength + 1 + LENGTH_BYTES) / BLOCK_BYTES);
  const padded = Buffer.alloc(blocks * BLOCK_BYTES);
  padded.set(message);
  padded[message.byteLength] = 0x80;
  padded.writeBigUInt64LE(BigInt(message.byteLength) * 8n, padded.byteLength - LENGTH_BYTES);
  return padded;
}

function withBlock(
  before: readonly [number, number, number, number],
  bytes: Buffer,
  start: number,
): readonly [number, number, number, number] {
  let [a, b, c, d] = before;
  ROUNDS.forEach(({ add, words, shifts }, round) => {
    words.forEach((word, step) => {
      const sum = a + MIX[round]!(b, c, d) + bytes.readInt32LE(start + word * 4) + add;
      [a, b, c, d] = [d, rotate(sum | 0, shifts[step % 4]!), b, c];
    });
  });
  return [(a + before[0]) | 0, (b + before[1]) | 0, (c + before[2]) | 0, (d + before[3]) | 0];
}
