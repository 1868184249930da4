/**
 * The order of what an agent sends in one session, as a state machine over opened frames: schema, batches in pieces,
 * checkpoints between them, or one result in their place; one last frame. It owns no socket and no clock.
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
import { createCollector } from "./pieces.ts";

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
  const collector = createCollector(outOfOrder);
  let schemaSeen = false;
  let resultSeen = false;
  let ended = false;
  let batchBytes = 0;

  const collect = (frame: Frame, type: keyof typeof maxBytes): Buffer | undefined =>
    collector.add(frame, maxBytes[type]);
  const needs = (condition: boolean, why: string, frame: Frame) => {
    if (!condition) throw outOfOrder(why, frame);
  };

  return (frame) => {
    needs(!ended, "a frame after the last one", frame);
    switch (frame.type) {
      case FRAME.schema: {
        needs(!schemaSeen, "a second schema", frame);
        needs(!resultSeen, "rows beside a result", frame);
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
        needs(!schemaSeen, "a result beside rows", frame);
        needs(!resultSeen, "a second result", frame);
        const bytes = collect(frame, FRAME.result);
        if (bytes === undefined) return undefined;
        resultSeen = true;
        return { kind: "result", bytes };
      }
      case FRAME.checkpoint: {
        needs(schemaSeen && !collector.open, "a checkpoint inside a batch", frame);
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
        needs(!collector.open, "the end inside a batch", frame);
        ended = true;
        const body = readBody(frame, endBody);
        needs(body.bytes === batchBytes, "an end whose bytes are not those sent", frame);
        return { kind: "end", body };
      }
      case FRAME.cancel:
      case FRAME.inputSchema:
      case FRAME.inputBatch:
      case FRAME.inputEnd:
      case FRAME.finish:
        throw outOfOrder("a frame that only the orchestrator sends", frame);
      default:
        return frame.type satisfies never;
    }
  };
}

const outOfOrder = (why: string, frame: Frame) =>
  new SallyportError("protocol.order", `The agent's stream is out of order: ${why}.`, { type: frame.type });
