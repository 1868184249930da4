/** Rows into the output: flushed while small enough to be quick, with a checkpoint where the source has positions. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { RowBatch } from "@sallyport/shared/rows/columns.ts";
import { type Column, sqlServerType } from "@sallyport/shared/rows/types.ts";
import type { Output } from "../connector.ts";
import { appenderFor } from "./decode.ts";
import type { Guard } from "./guard.ts";
import { createSink, type ValueSink } from "./sink.ts";
import { declarationOf, type WireColumn } from "./wire.ts";

/** Measured: larger batches cost latency and memory and gain nothing. */
const FLUSH_ROWS = 16_384;

export interface Pace {
  readonly checkpointBytes: number;
  readonly checkpointMs: number;
  readonly sliceRows: number;
  readonly idleMs: number;
}

export const DEFAULT_PACE: Pace = {
  checkpointBytes: 8 * 2 ** 20,
  checkpointMs: 2000,
  sliceRows: 100_000,
  idleMs: 600_000,
};

export interface Pump {
  row(): boolean;
  /** Flushes, and states the position when one is due. */
  drain(): Promise<"continue" | "stop">;
  /** Flushes what is left, after the last row of a statement. */
  finish(): Promise<void>;
  /** States the position; nothing may be in the batch. */
  checkpoint(): Promise<"continue" | "stop">;
  close(): void;
}

/** @param position where the row that was taken last stands; undefined where the source has no positions. */
export function createPump(output: Output, batch: RowBatch, pace: Pace, position: (() => string) | undefined): Pump {
  let bytes = 0;
  let due = false;
  const ticker = setInterval(() => {
    due = position !== undefined;
  }, pace.checkpointMs);
  const flush = async (): Promise<void> => {
    if (batch.length === 0) return;
    bytes += batch.byteLength;
    await output.flush();
  };
  const checkpoint = async (): Promise<"continue" | "stop"> => {
    bytes = 0;
    due = false;
    return position === undefined ? "continue" : output.checkpoint(position());
  };
  return {
    row() {
      batch.rowDone();
      return due || batch.full || batch.length >= FLUSH_ROWS;
    },
    async drain() {
      await flush();
      return position !== undefined && (due || bytes >= pace.checkpointBytes) ? checkpoint() : "continue";
    },
    finish: flush,
    checkpoint,
    close: () => clearInterval(ticker),
  };
}

/** A sink that writes into the batch's column. @throws `request.plan_changed` when the type is not what was planned. */
export function columnSink(
  wire: WireColumn,
  column: RowBatch["columns"][number] | undefined,
  planned: Column,
  options: { readonly guard: Guard; readonly remember: boolean; readonly cellBytes: number },
): ValueSink {
  // Planned as text: the pull's option `timestamps`. A text of the table's own has another declaration.
  const isText = planned.type.kind === "utf8" && /^datetime(2|offset)\(/.test(planned.source);
  const actual = sqlServerType(declarationOf(wire), { timestamps: isText ? "text" : "exact" });
  if (JSON.stringify(actual) !== JSON.stringify(planned.type)) {
    throw new SallyportError("request.plan_changed", `Column ${planned.name} changed its type while it was read.`, {
      column: planned.name,
    });
  }
  return createSink(wire, column, column === undefined ? undefined : appenderFor(wire, column), options);
}
