/** A session's messages: one byte of kind, then the body. Anything else closes the WebSocket with 1002. */
import { SallyportError } from "./errors.ts";

export const KIND = { hello: 0x01, request: 0x02, frame: 0x03 } as const;
export type Kind = (typeof KIND)[keyof typeof KIND];

/** Most bytes of a frame's body before it is sealed. */
export const MAX_FRAME_BODY = 262_144;
/** What sealing adds: kind, type, flags, 16 bytes of tag. */
export const FRAME_OVERHEAD = 19;
/** Most bytes of a record, its kind byte included. */
export const MAX_RECORD_BYTES: Readonly<Record<Kind, number>> = {
  [KIND.hello]: 8 * 1024,
  [KIND.request]: 64 * 1024,
  [KIND.frame]: MAX_FRAME_BODY + FRAME_OVERHEAD,
};
/** What a WebSocket of a session takes at most as one message. */
export const MAX_MESSAGE_BYTES: number = MAX_FRAME_BODY + FRAME_OVERHEAD;

export const WEBSOCKET_PROTOCOL = "sallyport.v1";
/** Header of the orchestrator's connect: 32 random bytes as base64url, repeated by the hello. */
export const CHALLENGE_HEADER = "Sallyport-Challenge";
/** Header that marks a canary's session; its one value is `ping`. */
export const PURPOSE_HEADER = "Sallyport-Purpose";

export function encodeRecord(kind: Kind, body: Uint8Array): Buffer {
  const record = Buffer.allocUnsafe(1 + body.byteLength);
  record[0] = kind;
  record.set(body, 1);
  return record;
}

/**
 * Checks a received message against the kind that is due now, and gives its body (a view of the same bytes).
 * @throws protocol.order when it is empty, of another kind or too large.
 */
export function expectRecord(message: Uint8Array, kind: Kind): Buffer {
  if (message.byteLength < 2 || message[0] !== kind || message.byteLength > MAX_RECORD_BYTES[kind]) {
    throw new SallyportError("protocol.order", "A message of an unexpected kind or size arrived.", {
      expectedKind: kind,
      kind: message[0] ?? -1,
      bytes: message.byteLength,
    });
  }
  return Buffer.from(message.buffer, message.byteOffset + 1, message.byteLength - 1);
}
