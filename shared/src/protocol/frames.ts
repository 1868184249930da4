/**
 * Sealed frames: AES-256-GCM, IV = 4 zero bytes and a 64-bit big-endian counter from 0 for each direction, AAD = the
 * record kind. The counter is implicit, so a dropped, repeated, reordered or altered frame does not open. A key seals
 * one direction of one session only, so no IV repeats under it.
 */
import { createCipheriv, createDecipheriv, createSecretKey, type KeyObject } from "node:crypto";
import { z } from "zod";
import { utf8 } from "../crypto/bytes.ts";
import { parseJson } from "../json.ts";
import { position } from "../schema/ids.ts";
import { isErrorCode, SallyportError } from "./errors.ts";
import { FRAME_OVERHEAD, KIND, MAX_FRAME_BODY } from "./records.ts";
import { timings } from "./timings.ts";
import { MAX_WARNINGS, warning } from "./warnings.ts";

export const FRAME = {
  schema: 0x10,
  batch: 0x11,
  checkpoint: 0x12,
  result: 0x13,
  progress: 0x14,
  error: 0x1e,
  end: 0x1f,
  credit: 0x20,
  cancel: 0x21,
  inputSchema: 0x22,
  inputBatch: 0x23,
  inputEnd: 0x24,
  finish: 0x25,
} as const;
export type FrameType = (typeof FRAME)[keyof typeof FRAME];
const TYPES: ReadonlySet<number> = new Set(Object.values(FRAME));

/** Flag bit 0: the last piece of a schema, batch or result, either way. Other bits are 0. */
const LAST_PIECE = 1;
/** Frames that come in pieces, and whose record bytes cost credit together with checkpoints and the input's end. */
const PIECED: ReadonlySet<number> = new Set([
  FRAME.schema,
  FRAME.batch,
  FRAME.result,
  FRAME.inputSchema,
  FRAME.inputBatch,
]);
/** Frames that need no credit are at most this large. */
export const MAX_FREE_BODY: number = 16 * 1024;
/** A whole schema or result. */
export const MAX_SCHEMA_BYTES: number = 4 * 2 ** 20;
/** JSON of a checkpoint. */
const MAX_CHECKPOINT_BODY = 8 * 1024;

/** Whether a frame's record bytes count against the receiver's credit. */
export const costsCredit = (type: FrameType): boolean =>
  PIECED.has(type) || type === FRAME.checkpoint || type === FRAME.inputEnd;

export interface Frame {
  readonly type: FrameType;
  readonly last: boolean;
  readonly body: Buffer;
}

const AAD = Uint8Array.of(KIND.frame);

function counterIv(): { next(): Uint8Array } {
  const iv = Buffer.alloc(12);
  let counter = 0n;
  return {
    next: () => {
      iv.writeBigUInt64BE(counter, 4);
      counter += 1n;
      return iv;
    },
  };
}

/** Seals one direction's frames in order; answers whole records. */
export function createSealer(key: Uint8Array): (type: FrameType, body: Uint8Array, last?: boolean) => Buffer {
  const ivs = counterIv();
  const secret = createSecretKey(key);
  return (type, body, last = PIECED.has(type)) => {
    if (body.byteLength > MAX_FRAME_BODY) throw new RangeError(`a frame's body of ${body.byteLength} bytes`);
    const cipher = createCipheriv("aes-256-gcm", secret, ivs.next());
    cipher.setAAD(AAD);
    const head = cipher.update(Uint8Array.of(type, last ? LAST_PIECE : 0));
    const sealed = cipher.update(body);
    cipher.final();
    return Buffer.concat([AAD, head, sealed, cipher.getAuthTag()], body.byteLength + FRAME_OVERHEAD);
  };
}

/**
 * Opens one direction's records in order.
 * @throws protocol.integrity when a record was altered, lost, repeated or reordered; protocol.order when it is no frame.
 */
export function createOpener(key: Uint8Array): (message: Uint8Array) => Frame {
  const ivs = counterIv();
  const secret = createSecretKey(key);
  return (message) => {
    if (
      message[0] !== KIND.frame ||
      message.byteLength < FRAME_OVERHEAD ||
      message.byteLength > MAX_FRAME_BODY + FRAME_OVERHEAD
    ) {
      throw new SallyportError("protocol.order", "A message that is no frame arrived.", {
        kind: message[0] ?? -1,
        bytes: message.byteLength,
      });
    }
    const plaintext = decrypt(secret, ivs.next(), message);
    const type = plaintext[0]!;
    const flags = plaintext[1]!;
    if (!TYPES.has(type)) throw new SallyportError("protocol.order", "A frame of an unknown type arrived.", { type });
    if (flags > (PIECED.has(type) ? LAST_PIECE : 0))
      throw new SallyportError("protocol.order", "A frame with unknown flags arrived.", { type, flags });
    const body = plaintext.subarray(2);
    const most = PIECED.has(type) ? MAX_FRAME_BODY : type === FRAME.checkpoint ? MAX_CHECKPOINT_BODY : MAX_FREE_BODY;
    if (body.byteLength > most)
      throw new SallyportError("protocol.order", "A frame larger than its type may be arrived.", {
        type,
        bytes: body.byteLength,
      });
    return { type: type as FrameType, last: flags === LAST_PIECE, body };
  };
}

function decrypt(key: KeyObject, iv: Uint8Array, message: Uint8Array): Buffer {
  const decipher = createDecipheriv("aes-256-gcm", key, iv, { authTagLength: 16 });
  decipher.setAAD(AAD);
  decipher.setAuthTag(message.subarray(-16));
  const plaintext = decipher.update(message.subarray(1, -16));
  try {
    decipher.final();
  } catch {
    throw new SallyportError(
      "protocol.integrity",
      "A frame did not open: it was altered, lost, repeated or reordered on the way.",
    );
  }
  return plaintext;
}

/** Cuts a schema, batch or result into bodies that fit a frame; `last` marks the final piece. Views, no copies. */
export function* pieces(
  bytes: Uint8Array,
  maxBody: number = MAX_FRAME_BODY,
): Generator<{ body: Uint8Array; last: boolean }> {
  for (let start = 0; start === 0 || start < bytes.byteLength; start += maxBody) {
    yield { body: bytes.subarray(start, start + maxBody), last: start + maxBody >= bytes.byteLength };
  }
}

// JSON bodies. `rows` and `bytes` count from the start of the session; `bytes` is what 0x11 bodies held.

const count = z.int().min(0);
export const checkpointBody = z.object({ rows: count, bytes: count, position: position.optional() });
export const progressBody = z.object({ rows: count, bytes: count });
/** Of no consequence but for whoever watches: what is none is left out, and fails nothing. */
const told = timings.optional().catch(undefined);
/** Text that ends on somebody's terminal: nothing in it that a terminal obeys. */
const shown = (maxLength: number) =>
  z
    .string()
    .max(maxLength)
    .regex(/^\P{Cc}*$/u);
const MAX_FACTS = 32;
export const errorBody = z.object({
  code: z.string().max(64).refine(isErrorCode, "not a code of the table"),
  message: shown(500),
  retryable: z.boolean(),
  detail: z
    .record(
      z.string().regex(/^[A-Za-z][A-Za-z0-9_]{0,63}$/),
      z.union([shown(512), z.number(), z.boolean(), z.array(shown(256)).max(64)]),
    )
    .refine((detail) => Object.keys(detail).length <= MAX_FACTS, "too many facts"),
  timings: told,
});
export const endBody = z.object({
  rows: count,
  bytes: count,
  batches: count,
  position: position.nullable(),
  complete: z.boolean(),
  executedMs: z.number().min(0),
  warnings: z.array(warning).max(MAX_WARNINGS).default([]),
  timings: told,
});
/** What was sent as input in all: the agent commits nothing that does not add up. */
export const inputEndBody = z.object({ rows: count, batches: count });
export const cancelBody = z.object({ reason: z.string().max(200) });

export const jsonBody = (value: unknown): Buffer => utf8(JSON.stringify(value));

/** @throws protocol.order when the body is no JSON of that shape. */
export function readBody<T extends z.ZodType>(frame: Frame, schema: T): z.infer<T> {
  const parsed = schema.safeParse(parseJson(frame.body));
  if (!parsed.success)
    throw new SallyportError("protocol.order", "A frame's body does not fit its type.", { type: frame.type });
  return parsed.data;
}

/** A credit frame: further bytes the receiver is ready to take; 0 is a heartbeat. */
export function creditBody(bytes: number): Buffer {
  const body = Buffer.allocUnsafe(4);
  body.writeUInt32BE(bytes);
  return body;
}

export function readCredit(frame: Frame): number {
  if (frame.body.byteLength !== 4) throw new SallyportError("protocol.order", "A credit frame's body is not 4 bytes.");
  return frame.body.readUInt32BE();
}
