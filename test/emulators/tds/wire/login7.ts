/** PRELOGIN [MS-TDS 2.2.6.5] and LOGIN7 [MS-TDS 2.2.6.4]. */

export const ENCRYPT_ON = 1;
export const ENCRYPT_NOT_SUPPORTED = 2;

/** The client's ENCRYPTION option; OFF when it has none. The loop is bounded by the message. */
export function readPrelogin(payload: Buffer): { readonly encryption: number } {
  for (let at = 0; at + 5 <= payload.length && payload[at] !== 0xff; at += 5) {
    const [token, offset, length] = [payload.readUInt8(at), payload.readUInt16BE(at + 1), payload.readUInt16BE(at + 3)];
    if (token === 1 && length >= 1 && offset < payload.length) return { encryption: payload.readUInt8(offset) };
  }
  return { encryption: 0 };
}

/** Version 16.0.1000 and the encryption that the server wants. */
export function preloginAnswer(encryption: number): Buffer {
  const options: readonly (readonly [number, readonly number[]])[] = [
    [0, [16, 0, 0x03, 0xe8, 0, 0]],
    [1, [encryption]],
    [2, [0]],
    [4, [0]],
  ];
  const head: number[] = [];
  const data: number[] = [];
  for (const [token, value] of options) {
    const offset = options.length * 5 + 1 + data.length;
    head.push(token, offset >> 8, offset & 0xff, 0, value.length);
    data.push(...value);
  }
  return Buffer.from([...head, 0xff, ...data]);
}

export interface Login7 {
  readonly packetBytes: number;
  readonly host: string;
  readonly user: string;
  readonly password: string;
  readonly application: string;
  readonly database: string;
  /** The first message of a Windows login (SSPI); undefined for a login of the server's. */
  readonly sspi: Buffer | undefined;
  readonly utf8: boolean;
}

const FIXED_BYTES = 94;

/** Throws RangeError for a message that is cut or points outside itself. */
export function readLogin7(payload: Buffer): Login7 {
  if (payload.length < FIXED_BYTES) throw new RangeError(`a LOGIN7 of ${payload.length} bytes`);
  const part = (at: number): Buffer => {
    const [offset, characters] = [payload.readUInt16LE(at), payload.readUInt16LE(at + 2)];
    const bytes = payload.subarray(offset, offset + characters * 2);
    if (bytes.length !== characters * 2) throw new RangeError("LOGIN7 points outside itself");
    return bytes;
  };
  const text = (at: number): string => part(at).toString("utf16le");
  // Each byte of the password has its halves swapped and is then xored.
  const password = Buffer.from(part(44).map((byte) => swapHalves(byte ^ 0xa5))).toString("utf16le");
  const wanted = payload.readUInt32LE(8);
  return {
    packetBytes: Math.min(32_767, Math.max(512, wanted === 0 ? 4096 : wanted)),
    host: text(36),
    user: text(40),
    password,
    application: text(48),
    database: text(68),
    sspi: (payload.readUInt8(25) & 0x80) === 0 ? undefined : sspiOf(payload),
    utf8: (payload.readUInt8(27) & 0x10) !== 0 && wantsUtf8(payload, payload.readUInt16LE(56)),
  };
}

function sspiOf(payload: Buffer): Buffer {
  const [offset, length] = [payload.readUInt16LE(78), payload.readUInt16LE(80)];
  return payload.subarray(offset, offset + length);
}

const swapHalves = (byte: number): number => ((byte & 0x0f) << 4) | (byte >> 4);

// The extension field holds the offset of the feature list: id, length, data, until 0xff.
function wantsUtf8(payload: Buffer, extension: number): boolean {
  if (extension + 4 > payload.length) return false;
  let at = payload.readUInt32LE(extension);
  while (at + 5 <= payload.length && payload[at] !== 0xff) {
    if (payload[at] === 0x0a) return true;
    at += 5 + payload.readUInt32LE(at + 1);
  }
  return false;
}
