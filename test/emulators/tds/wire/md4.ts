/** MD4 (RFC 1320), which OpenSSL 3 no longer offers: what NTLM hashes passwords with. */

const SHIFTS = [
  [3, 7, 11, 19],
  [3, 5, 9, 13],
  [3, 9, 11, 15],
] as const;
const ADDED = [0, 0x5a827999, 0x6ed9eba1] as const;
const ORDERS = [
  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
  [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15],
  [0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15],
] as const;

const MIX = [
  (x: number, y: number, z: number): number => (x & y) | (~x & z),
  (x: number, y: number, z: number): number => (x & y) | (x & z) | (y & z),
  (x: number, y: number, z: number): number => x ^ y ^ z,
] as const;

export function md4(message: Uint8Array): Buffer {
  const padded = Buffer.alloc(Math.ceil((message.length + 9) / 64) * 64);
  padded.set(message);
  padded[message.length] = 0x80;
  padded.writeBigUInt64LE(BigInt(message.length) * 8n, padded.length - 8);
  const state = Uint32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476);
  for (let block = 0; block < padded.length; block += 64) addBlock(state, padded, block);
  const digest = Buffer.alloc(16);
  state.forEach((word, at) => void digest.writeUInt32LE(word, at * 4));
  return digest;
}

function addBlock(state: Uint32Array, padded: Buffer, block: number): void {
  let [a = 0, b = 0, c = 0, d = 0] = state;
  for (const round of [0, 1, 2] as const) {
    ORDERS[round].forEach((word, step) => {
      const sum = (a + MIX[round](b, c, d) + padded.readUInt32LE(block + word * 4) + ADDED[round]) >>> 0;
      const shift = SHIFTS[round][step % 4]!;
      [a, b, c, d] = [d, ((sum << shift) | (sum >>> (32 - shift))) >>> 0, b, c];
    });
  }
  [a, b, c, d].forEach((word, at) => {
    state[at]! += word;
  });
}
