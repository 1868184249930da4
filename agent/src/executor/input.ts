/**
 * Rows on their way in: frames to checked batches, under credit that the agent gives. Nothing of ours reads a schema or a
 * batch before it was checked here: whoever holds a stolen key of the orchestrator can send anything.
 */
import { createReceiveWindow } from "@sallyport/shared/protocol/credit.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { Frame } from "@sallyport/shared/protocol/frames.ts";
import { createInputStream, type InputMessage } from "@sallyport/shared/protocol/input-stream.ts";
import { checkBatch } from "@sallyport/shared/rows/check.ts";
import { decodeSchema } from "@sallyport/shared/rows/schema.ts";
import type { Column } from "@sallyport/shared/rows/types.ts";
import type { Limits } from "@sallyport/shared/schema/operations.ts";
import type { Input } from "../connectors/connector.ts";

/** What the other side may have on its way, in record bytes. */
const WINDOW_BYTES = 4 * 2 ** 20;

export interface InputOptions {
  readonly limits: Pick<Limits, "rows" | "bytes" | "cellBytes" | "rowBytes">;
  /** Sends credit for so many bytes. */
  readonly credit: (bytes: number) => void;
  /** Why the session was stopped, for whoever waits. */
  readonly signal: AbortSignal;
}

export interface InputReceiver extends Input {
  /** Rows that came. */
  readonly rows: number;
  /** Takes a frame of the input; `recordBytes` is what it cost. @throws protocol.order, protocol.credit */
  frame(frame: Frame, recordBytes: number): void;
}

export function createInput({ limits, credit, signal }: InputOptions): InputReceiver {
  const read = createInputStream(limits.rowBytes);
  const window = createReceiveWindow(WINDOW_BYTES);
  const queue: InputMessage[] = [];
  let opened = false;
  /** Bytes that came while a whole message waits: they are credited once it was taken. */
  let held = 0;
  let wake: (() => void) | undefined;
  let columns: readonly Column[] = [];
  let rows = 0;
  let bytes = 0;

  const staged = (count: number): void => {
    const grant = window.staged(count);
    if (grant > 0) credit(grant);
  };
  /** The pieces of the message that comes next are credited as they arrive, or a large one would never be whole. */
  const account = (count: number): void => {
    if (queue.length === 0) staged(count);
    else held += count;
  };
  const take = async (): Promise<InputMessage> => {
    // The first grant of all: before it the other side may send nothing.
    if (!opened) credit(WINDOW_BYTES);
    opened = true;
    while (queue.length === 0) await arrival(signal);
    const message = queue.shift()!;
    if (queue.length === 0) {
      const count = held;
      held = 0;
      staged(count);
    }
    return message;
  };
  const arrival = (stop: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      stop.throwIfAborted();
      const abort = (): void => reject(stop.reason);
      stop.addEventListener("abort", abort, { once: true });
      wake = () => {
        stop.removeEventListener("abort", abort);
        resolve();
      };
    });
  /** @throws limit.rows, limit.bytes: before a row is handed on. */
  const count = (moreRows: number, moreBytes: number): void => {
    rows += moreRows;
    bytes += moreBytes;
    if (rows > limits.rows) {
      throw new SallyportError("limit.rows", `More than the ${limits.rows} rows allowed came.`, { rows: limits.rows });
    }
    if (bytes > limits.bytes) {
      throw new SallyportError("limit.bytes", `More than the ${limits.bytes} bytes allowed came.`, {
        bytes: limits.bytes,
      });
    }
  };

  return {
    get rows() {
      return rows;
    },
    frame(frame, recordBytes) {
      if (!opened) throw new SallyportError("protocol.credit", "Rows came before there was credit for them.");
      window.arrived(recordBytes);
      const message = read(frame);
      if (message !== undefined) queue.push(message);
      account(recordBytes);
      if (message !== undefined) wake?.();
    },
    async columns() {
      const message = await take();
      if (message.kind !== "schema") throw new TypeError("The schema was taken before.");
      ({ columns } = decodeSchema(message.bytes));
      return columns;
    },
    async next() {
      const message = await take();
      if (message.kind === "schema") throw new TypeError("The schema comes first.");
      if (message.kind === "end") {
        if (message.body.rows === rows) return undefined;
        throw new SallyportError("protocol.order", "The input's end counts other rows than came.", { rows });
      }
      const batch = checkBatch(message.bytes, columns, limits);
      count(batch.rows, batch.decompressedBytes);
      return batch;
    },
  };
}
