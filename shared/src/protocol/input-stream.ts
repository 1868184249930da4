/**
 * The order of the rows that an orchestrator sends to be written, as a state machine over opened frames: schema, batches
 * in pieces, one end that counts them. It owns no socket and no clock.
 */
import type { z } from "zod";
import { MAX_BATCH_BYTES } from "../schema/operations.ts";
import { SallyportError } from "./errors.ts";
import { FRAME, type Frame, inputEndBody, MAX_SCHEMA_BYTES, readBody } from "./frames.ts";
import { createCollector } from "./pieces.ts";

/** What a frame completed. Pieces that complete nothing give undefined. */
export type InputMessage =
  | { readonly kind: "schema"; readonly bytes: Buffer }
  | { readonly kind: "batch"; readonly bytes: Buffer }
  | { readonly kind: "end"; readonly body: z.infer<typeof inputEndBody> };

/** Bytes of a batch's message beyond its data: Arrow metadata and what zstd may add. */
const BATCH_MARGIN = 2 ** 20;

export const isInput = ({ type }: Frame): boolean =>
  type === FRAME.inputSchema || type === FRAME.inputBatch || type === FRAME.inputEnd;

/**
 * @param rowBytes the request's `limits.rowBytes`: one single row may be that large.
 * @throws (the returned function) protocol.order on anything out of order or too large.
 */
export function createInputStream(rowBytes: number): (frame: Frame) => InputMessage | undefined {
  const maxBatchBytes = Math.max(MAX_BATCH_BYTES, rowBytes) + BATCH_MARGIN;
  const collector = createCollector(outOfOrder);
  let schemaSeen = false;
  let ended = false;
  let batches = 0;
  const needs = (condition: boolean, why: string, frame: Frame): void => {
    if (!condition) throw outOfOrder(why, frame);
  };
  return (frame) => {
    needs(!ended, "a frame after the last one", frame);
    switch (frame.type) {
      case FRAME.inputSchema: {
        needs(!schemaSeen, "a second schema", frame);
        const bytes = collector.add(frame, MAX_SCHEMA_BYTES);
        if (bytes === undefined) return undefined;
        schemaSeen = true;
        return { kind: "schema", bytes };
      }
      case FRAME.inputBatch: {
        needs(schemaSeen, "a batch before the schema", frame);
        const bytes = collector.add(frame, maxBatchBytes);
        if (bytes === undefined) return undefined;
        batches += 1;
        return { kind: "batch", bytes };
      }
      case FRAME.inputEnd: {
        needs(schemaSeen && !collector.open, "the end before the schema or inside a batch", frame);
        const body = readBody(frame, inputEndBody);
        needs(body.batches === batches, "an end that counts other batches than came", frame);
        ended = true;
        return { kind: "end", body };
      }
      default:
        throw outOfOrder("a frame that is no input", frame);
    }
  };
}

const outOfOrder = (why: string, frame: Frame) =>
  new SallyportError("protocol.order", `The rows to write are out of order: ${why}.`, { type: frame.type });
