/** What a sign-in writes: DER, with the shortest lengths [X.690 10]. It is read by `../ber.ts`. */

export const TAG = { integer: 0x02, octets: 0x04, oid: 0x06, enumerated: 0x0a, sequence: 0x30 } as const;
/** Around another element: `[0]` and on. */
export const explicitTag = (number: number): number => 0xa0 + number;

export function element(tag: number, ...pieces: readonly Uint8Array[]): Buffer {
  const bytes = pieces.reduce((sum, { byteLength }) => sum + byteLength, 0);
  return Buffer.concat([Uint8Array.of(tag), lengthOf(bytes), ...pieces]);
}

function lengthOf(bytes: number): Uint8Array {
  if (bytes < 0x80) return Uint8Array.of(bytes);
  const digits: number[] = [];
  for (let rest = bytes; rest > 0; rest = Math.floor(rest / 256)) digits.unshift(rest % 256);
  return Uint8Array.of(0x80 + digits.length, ...digits);
}

export const integer = (number: number): Buffer => {
  const bytes = Buffer.alloc(5);
  bytes.writeUInt32BE(number, 1);
  const first = bytes.findIndex((byte, at) => at === 4 || byte !== 0 || bytes[at + 1]! >= 0x80);
  return element(TAG.integer, bytes.subarray(first));
};

export const octets = (bytes: Uint8Array): Buffer => element(TAG.octets, bytes);

/** The content of an OID: `1.3.6.1.5.5.2` is 2b 06 01 05 05 02. */
export function oidBytes(oid: string): Buffer {
  const [first = 0, second = 0, ...rest] = oid.split(".").map(Number);
  return Buffer.from([first * 40 + second, ...rest].flatMap(base128));
}

function base128(arc: number): number[] {
  const digits = [arc % 128];
  for (let rest = Math.floor(arc / 128); rest > 0; rest = Math.floor(rest / 128)) digits.unshift((rest % 128) + 128);
  return digits;
}

export const oid = (text: string): Buffer => element(TAG.oid, oidBytes(text));
