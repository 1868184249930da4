/** NTLM's signatures and encryption of what follows a sign-in, with extended session security and a 128-bit key [MS-NLMP 3.4]. */
import { createHash, timingSafeEqual } from "node:crypto";
import { createRc4 } from "./rc4.ts";
import { hmacMd5 } from "./response.ts";

export const SIGNATURE_BYTES = 16;
const CHECKSUM_BYTES = 8;
const VERSION = 1;

/** One direction. Each call takes the next sequence number, so messages are given in the order they are sent. */
export interface Sender {
  sign(message: Uint8Array): Buffer;
  /** Signature, then ciphertext. */
  seal(message: Uint8Array): Buffer;
}

export interface Receiver {
  /** Whether this is the signature of this message at this place in the order. After a false one nothing may be believed. */
  verify(message: Uint8Array, signature: Uint8Array): boolean;
  /** Undefined where the signature or the sequence number is wrong. */
  unseal(sealed: Uint8Array): Buffer | undefined;
}

export type Side = "client" | "server";

/** Keys of one direction, from who sends in it. */
function stateOf(sessionKey: Uint8Array, from: Side, firstSequence: number) {
  const way = from === "client" ? "client-to-server" : "server-to-client";
  const key = (purpose: string): Buffer =>
    createHash("md5").update(sessionKey).update(`session key to ${way} ${purpose} key magic constant\0`).digest();
  const signingKey = key("signing");
  const rc4 = createRc4(key("sealing"));
  let sequence = firstSequence;

  /** The cipher's stream goes over the message first, then over the checksum. */
  const signatureOf = (message: Uint8Array): Buffer => {
    const signature = Buffer.alloc(SIGNATURE_BYTES);
    signature.writeUInt32LE(VERSION, 0);
    signature.writeUInt32LE(sequence, 12);
    const checksum = hmacMd5(signingKey, signature.subarray(12), message).subarray(0, CHECKSUM_BYTES);
    signature.set(rc4(checksum), 4);
    sequence = (sequence + 1) >>> 0;
    return signature;
  };
  return { rc4, signatureOf };
}

/** @param firstSequence number of the first message: one for each that was signed before with the same key */
export function createSender(sessionKey: Uint8Array, from: Side, firstSequence = 0): Sender {
  const { rc4, signatureOf } = stateOf(sessionKey, from, firstSequence);
  return {
    sign: signatureOf,
    seal(message) {
      const ciphertext = rc4(message);
      return Buffer.concat([signatureOf(message), ciphertext]);
    },
  };
}

export function createReceiver(sessionKey: Uint8Array, from: Side, firstSequence = 0): Receiver {
  const { rc4, signatureOf } = stateOf(sessionKey, from, firstSequence);
  const isSignature = (message: Uint8Array, signature: Uint8Array): boolean =>
    signature.byteLength === SIGNATURE_BYTES && timingSafeEqual(signatureOf(message), signature);
  return {
    verify: isSignature,
    unseal(sealed) {
      const message = rc4(sealed.subarray(SIGNATURE_BYTES));
      return isSignature(message, sealed.subarray(0, SIGNATURE_BYTES)) ? message : undefined;
    },
  };
}
