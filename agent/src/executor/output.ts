/** Turns a connector's rows into Arrow messages and these into frames; its promises are the connector's back-pressure. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { FRAME, jsonBody, MAX_SCHEMA_BYTES } from "@sallyport/shared/protocol/frames.ts";
import { drainBatch, encodeSchema, PLAN_KEY } from "@sallyport/shared/rows/arrow.ts";
import { createBatch, type RowBatch } from "@sallyport/shared/rows/columns.ts";
import type { Column } from "@sallyport/shared/rows/types.ts";
import type { Limits } from "@sallyport/shared/schema/operations.ts";
import type { Output } from "../connectors/connector.ts";
import { createMaskedBatch, type Masking } from "../masks/batch.ts";
import { SENDING_STEP_BYTES } from "../pipe/messages.ts";
import { createMeter } from "./limits.ts";
import type { SealedStream } from "./stream.ts";
import { createSweep } from "./sweep.ts";

/** A batch of more would cost latency and memory, and would gain little compression. */
const BATCH_BYTES = 1024 * 1024;

/**
 * @param windowBytes the request's first credit: a batch is at most a quarter of it, or both sides wait for each other.
 * @param onSending told before more is sent than it heard last: so many bytes of batches at most.
 * @param masking what the policy masks; without it the batch goes out as it was filled.
 */
export function createOutput(
  stream: SealedStream,
  limits: Limits,
  windowBytes: number,
  onSending: (bytes: number) => Promise<void>,
  masking?: Masking,
): Output {
  const meter = createMeter(limits);
  const sweep = createSweep();
  let batch: RowBatch | undefined;
  let drained: RowBatch | undefined;
  let announcedBytes = SENDING_STEP_BYTES;
  const announce = async (bytes: number): Promise<void> => {
    if (bytes <= announcedBytes) return;
    announcedBytes = bytes + SENDING_STEP_BYTES;
    await onSending(announcedBytes);
  };
  const begin = (columns: readonly Column[]) => {
    const { cellBytes, rowBytes } = limits;
    const sizes = { cellBytes, rowBytes, batchBytes: Math.min(BATCH_BYTES, Math.floor(windowBytes / 4)) };
    if (masking !== undefined) return createMaskedBatch(columns, masking, sizes);
    const plain = createBatch(columns, sizes);
    return { columns, batch: plain, drained: plain };
  };
  return {
    async schema(columns, plan) {
      if (batch !== undefined) throw new TypeError("The schema was sent before.");
      const made = begin(columns);
      await stream.sendPieces(FRAME.schema, encodeSchema(made.columns, { [PLAN_KEY]: JSON.stringify(plan) }));
      ({ batch, drained } = made);
      return batch;
    },
    async flush() {
      if (batch === undefined || drained === undefined || batch.length === 0) return;
      meter.take(drained.length, drained.byteLength);
      for (const { message, rows } of drainBatch(drained)) {
        await announce(stream.totals.bytes + message.byteLength);
        await stream.sendPieces(FRAME.batch, message);
        stream.totals.rows += rows;
        stream.totals.batches += 1;
        sweep(message.byteLength);
      }
    },
    async checkpoint(position) {
      if (batch !== undefined && batch.length > 0) throw new TypeError("A checkpoint needs an empty batch.");
      const { rows, bytes } = stream.totals;
      await stream.sendJson(FRAME.checkpoint, { rows, bytes, position });
      return stream.finishing ? "stop" : "continue";
    },
    async result(value) {
      const bytes = jsonBody(value);
      if (bytes.byteLength > MAX_SCHEMA_BYTES) {
        throw new SallyportError("limit.bytes", `The result has more than ${MAX_SCHEMA_BYTES} bytes.`, {
          bytes: MAX_SCHEMA_BYTES,
        });
      }
      meter.take(0, bytes.byteLength);
      await stream.sendPieces(FRAME.result, bytes);
    },
  };
}
