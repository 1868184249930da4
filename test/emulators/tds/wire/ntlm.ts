/** NTLM as a server sees it [MS-NLMP]: the challenge, and whether an answer to it proves the password. Only NTLMv2. */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import { md4 } from "./md4.ts";

const SIGNATURE = Buffer.from("NTLMSSP\0", "latin1");
const CHALLENGE_BYTES = 8;
const PROOF_BYTES = 16;
const HEADER_BYTES = 56;
/** Unicode, request target, NTLM, target type domain, extended session security, target info [2.2.2.5]. */
const FLAGS = 0x00898205;
const DOMAIN = "EMULATED";
/** AV_PAIR ids of the domain's and the server's NetBIOS names [2.2.2.1]. */
const NAMES = { 2: DOMAIN, 1: "EMULATOR" } as const;

const utf16 = (text: string): Buffer => Buffer.from(text, "utf16le");

/** NTOWFv2 [3.3.2]. `domain` as the client spells it. */
export const passwordKey = (password: string, user: string, domain: string): Buffer =>
  createHmac("md5", md4(utf16(password)))
    .update(utf16(user.toUpperCase() + domain))
    .digest();

/** What proves the key: over the server's challenge, then what the client adds (`temp` of NTLMv2, its challenge for LMv2). */
export const proof = (key: Buffer, challenge: Uint8Array, clientData: Uint8Array): Buffer =>
  createHmac("md5", key).update(challenge).update(clientData).digest();

export const isNegotiate = (message: Buffer): boolean =>
  message.length >= 16 && message.subarray(0, 8).equals(SIGNATURE) && message.readUInt32LE(8) === 1;

export interface Challenge {
  readonly nonce: Buffer;
  /** CHALLENGE_MESSAGE [2.2.1.2]. */
  readonly message: Buffer;
}

export function makeChallenge(): Challenge {
  const nonce = randomBytes(CHALLENGE_BYTES);
  const domain = utf16(DOMAIN);
  const pairs = Object.entries(NAMES).map(([id, name]) => {
    const head = Buffer.alloc(4);
    head.writeUInt16LE(Number(id), 0);
    head.writeUInt16LE(name.length * 2, 2);
    return Buffer.concat([head, utf16(name)]);
  });
  const target = Buffer.concat([...pairs.reverse(), Buffer.alloc(4)]);
  const head = Buffer.alloc(HEADER_BYTES);
  SIGNATURE.copy(head);
  head.writeUInt32LE(2, 8);
  field(head, 12, domain.length, HEADER_BYTES);
  head.writeUInt32LE(FLAGS, 20);
  nonce.copy(head, 24);
  field(head, 40, target.length, HEADER_BYTES + domain.length);
  return { nonce, message: Buffer.concat([head, domain, target]) };
}

function field(head: Buffer, at: number, length: number, offset: number): void {
  head.writeUInt16LE(length, at);
  head.writeUInt16LE(length, at + 2);
  head.writeUInt32LE(offset, at + 4);
}

export interface Answer {
  readonly domain: string;
  readonly user: string;
  /** What the client chose, so that nobody who picks the server's challenge can look the answer up. */
  readonly clientNonce: Buffer;
  /** Both the LMv2 and the NTLMv2 response were made with this password. */
  proves(password: string): boolean;
}

/** Reads AUTHENTICATE_MESSAGE [2.2.1.3]. Throws RangeError for what is none. */
export function readAnswer(message: Buffer, { nonce }: Challenge): Answer {
  if (message.length < 64 || !message.subarray(0, 8).equals(SIGNATURE) || message.readUInt32LE(8) !== 3) {
    throw new RangeError("no AUTHENTICATE_MESSAGE");
  }
  const [domain, user, lm] = [28, 36, 12].map((at) => part(message, at)) as [Buffer, Buffer, Buffer];
  // tedious 20.3.9 gives the length of the proof alone, and puts the rest of the response behind it all the same.
  const nt = message.subarray(message.readUInt32LE(24));
  const temp = nt.subarray(PROOF_BYTES, nt.length);
  if (lm.length !== PROOF_BYTES + CHALLENGE_BYTES || temp.length < 28) throw new RangeError("no NTLMv2 response");
  const [names, clientNonce] = [
    { domain: domain.toString("utf16le"), user: user.toString("utf16le") },
    lm.subarray(16),
  ];
  return {
    ...names,
    clientNonce,
    proves(password) {
      const key = passwordKey(password, names.user, names.domain);
      const same = (given: Buffer, data: Buffer): boolean =>
        timingSafeEqual(given.subarray(0, PROOF_BYTES), proof(key, nonce, data));
      return same(lm, clientNonce) && same(nt, temp) && temp.subarray(16, 24).equals(clientNonce);
    },
  };
}

function part(message: Buffer, at: number): Buffer {
  const [length, offset] = [message.readUInt16LE(at), message.readUInt32LE(at + 4)];
  if (offset + length > message.length) throw new RangeError("a field points outside its message");
  return message.subarray(offset, offset + length);
}
