/** The three messages of NTLM, as bytes [MS-NLMP 2.2.1]. */

const SIGNATURE = Buffer.from("NTLMSSP\0", "latin1");
const TYPE = { negotiate: 1, challenge: 2, authenticate: 3 } as const;
/** Product 10.0, build 0, revision 15 of NTLM: ignored by servers, wanted by the format. */
const VERSION = Uint8Array.of(10, 0, 0, 0, 0, 0, 0, 15);

export const MIC_OFFSET = 72;
export const MIC_BYTES = 16;
const AUTHENTICATE_HEADER_BYTES: number = MIC_OFFSET + MIC_BYTES;
const CHALLENGE_HEADER_BYTES = 48;

/** Names no workstation and no domain: the server needs neither. */
export function negotiateMessage(flags: number): Buffer {
  const message = Buffer.alloc(40);
  message.set(SIGNATURE);
  message.writeUInt32LE(TYPE.negotiate, 8);
  message.writeUInt32LE(flags, 12);
  message.set(VERSION, 32);
  return message;
}

export interface Challenge {
  readonly flags: number;
  /** 8 bytes. */
  readonly serverChallenge: Buffer;
  /** As it came. */
  readonly targetInfo: Buffer;
}

/** Undefined for what is no challenge. */
export function parseChallenge(message: Buffer): Challenge | undefined {
  if (message.byteLength < CHALLENGE_HEADER_BYTES || !message.subarray(0, 8).equals(SIGNATURE)) return undefined;
  if (message.readUInt32LE(8) !== TYPE.challenge) return undefined;
  const length = message.readUInt16LE(40);
  const offset = message.readUInt32LE(44);
  if (offset + length > message.byteLength || (length > 0 && offset < CHALLENGE_HEADER_BYTES)) return undefined;
  return {
    flags: message.readUInt32LE(20),
    serverChallenge: message.subarray(24, 32),
    targetInfo: message.subarray(offset, offset + length),
  };
}

export interface Authenticate {
  readonly flags: number;
  readonly domain: string;
  readonly user: string;
  readonly workstation: string;
  readonly lmResponse: Uint8Array;
  readonly ntResponse: Uint8Array;
  readonly encryptedSessionKey: Uint8Array;
}

/** With 16 zero bytes where the MIC belongs. */
export function authenticateMessage(parts: Authenticate): Buffer {
  const text = (value: string): Buffer => Buffer.from(value, "utf16le");
  const header = Buffer.alloc(AUTHENTICATE_HEADER_BYTES);
  header.set(SIGNATURE);
  header.writeUInt32LE(TYPE.authenticate, 8);
  header.writeUInt32LE(parts.flags, 60);
  header.set(VERSION, 64);
  const pieces: Uint8Array[] = [];
  let offset = AUTHENTICATE_HEADER_BYTES;
  const put = (field: number, value: Uint8Array): void => {
    header.writeUInt16LE(value.byteLength, field);
    header.writeUInt16LE(value.byteLength, field + 2);
    header.writeUInt32LE(offset, field + 4);
    pieces.push(value);
    offset += value.byteLength;
  };
  put(28, text(parts.domain));
  put(36, text(parts.user));
  put(44, text(parts.workstation));
  put(12, parts.lmResponse);
  put(20, parts.ntResponse);
  put(52, parts.encryptedSessionKey);
  return Buffer.concat([header, ...pieces]);
}
