/**
 * The order of what an agent sends in one session, as a state machine over opened frames: schema, batches in pieces,
 * checkpoints between them, one last frame. It owns no socket and no clock.
 */
import type { z } from "zod";
import { MAX_BATCH_BYTES } from "../schema/operations.ts";
import { SallyportError } from "./errors.ts";
import {
  checkpointBody,
  endBody,
  errorBody,
  FRAME,
  type Frame,
  MAX_SCHEMA_BYTES,
  progressBody,
  readBody,
} from "./frames.ts";

/** What a frame completed. Pieces that complete nothing give undefined. */
export type AgentMessage =
  | { readonly kind: "schema"; readonly bytes: Buffer }
  | { readonly kind: "batch"; readonly bytes: Buffer }
  | { readonly kind: "checkpoint"; readonly body: z.infer<typeof checkpointBody> }
  | { readonly kind: "result"; readonly bytes: Buffer }
  | { readonly kind: "progress"; readonly body: z.infer<typeof progressBody> }
  | { readonly kind: "credit"; readonly frame: Frame }
  | { readonly kind: "error"; readonly body: z.infer<typeof errorBody> }
  | { readonly kind: "end"; readonly body: z.infer<typeof endBody> };

/** Bytes of a batch's message beyond its data: Arrow metadata and what zstd may add. */
const BATCH_MARGIN = 2 ** 20;
/** Pieces hold at least 4 KiB each on average, but for a few. */
const MIN_PIECE_BYTES = 4096;
const FREE_PIECES = 64;

/**
 * @param rowBytes the request's `limits.rowBytes`: one single row may be that large.
 * @throws (the returned function) protocol.order on anything out of order or too large.
 */
export function createAgentStream(rowBytes: number): (frame: Frame) => AgentMessage | undefined {
  const maxBytes = {
    [FRAME.schema]: MAX_SCHEMA_BYTES,
    [FRAME.batch]: Math.max(MAX_BATCH_BYTES, rowBytes) + BATCH_MARGIN,
    [FRAME.result]: MAX_SCHEMA_BYTES,
  };
  let open: { type: keyof typeof maxBytes; parts: Buffer[]; bytes: number } | undefined;
  let schemaSeen = false;
  let ended = false;
  let batchBytes = 0;

  const collect = (frame: Frame, type: keyof typeof maxBytes): Buffer | undefined => {
    open ??= { type, parts: [], bytes: 0 };
    if (open.type !== type) throw outOfOrder("pieces of two messages are mixed", frame);
    open.parts.push(frame.body);
    open.bytes += frame.body.byteLength;
    // A piece costs more memory than its bytes: without this, empty or tiny ones would add up under the limit in bytes.
    if (open.parts.length > FREE_PIECES + open.bytes / MIN_PIECE_BYTES) throw outOfOrder("pieces are too small", frame);
    if (open.bytes > maxBytes[type]) throw outOfOrder("a message is larger than it may be", frame);
    if (!frame.last) return undefined;
    const whole = open.parts.length === 1 ? open.parts[0]! : Buffer.concat(open.parts, open.bytes);
    open = undefined;
    return whole;
  };
  const needs = (condition: boolean, why: string, frame: Frame) => {
    if (!condition) throw outOfOrder(why, frame);
  };

  return (frame) => {
    needs(!ended, "a frame after the last one", frame);
    switch (frame.type) {
      case FRAME.schema: {
        needs(!schemaSeen, "a second schema", frame);
        const bytes = collect(frame, FRAME.schema);
        if (bytes === undefined) return undefined;
        schemaSeen = true;
        return { kind: "schema", bytes };
      }
      case FRAME.batch: {
        needs(schemaSeen, "a batch before the schema", frame);
        batchBytes += frame.body.byteLength;
        const bytes = collect(frame, FRAME.batch);
        return bytes && { kind: "batch", bytes };
      }
      case FRAME.result: {
        const bytes = collect(frame, FRAME.result);
        return bytes && { kind: "result", bytes };
      }
      case FRAME.checkpoint: {
        needs(schemaSeen && open === undefined, "a checkpoint inside a batch", frame);
        const body = readBody(frame, checkpointBody);
        needs(body.bytes === batchBytes, "a checkpoint whose bytes are not those sent", frame);
        return { kind: "checkpoint", body };
      }
      case FRAME.progress:
        return { kind: "progress", body: readBody(frame, progressBody) };
      case FRAME.credit:
        return { kind: "credit", frame };
      case FRAME.error:
        ended = true;
        return { kind: "error", body: readBody(frame, errorBody) };
      case FRAME.end: {
        needs(open === undefined, "the end inside a batch", frame);
        ended = true;
        const body = readBody(frame, endBody);
        needs(body.bytes === batchBytes, "an end whose bytes are not those sent", frame);
        return { kind: "end", body };
      }
      case FRAME.cancel:
      case FRAME.finish:
        throw outOfOrder("a frame that only the orchestrator sends", frame);
      default:
        return frame.type satisfies never;
    }
  };
}

const outOfOrder = (why: string, frame: Frame) =>
  new SallyportError("protocol.order", `The agent's stream is out of order: ${why}.`, { type: frame.type });
