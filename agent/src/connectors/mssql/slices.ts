/** Rows of a planned read on their way to the output: by key in statements that each end by themselves, or in one. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { RowBatch } from "@sallyport/shared/rows/columns.ts";
import type { Limits } from "@sallyport/shared/schema/operations.ts";
import type { Outcome, Output } from "../connector.ts";
import { arrowColumn } from "./catalog.ts";
import { columnSink, createPump, type Pace } from "./flow.ts";
import { createKeyReader, type Position, positionText, rowversionText } from "./position.ts";
import type { Read } from "./read-plan.ts";
import { sliceStatement } from "./select.ts";
import type { Session } from "./session.ts";
import type { ValueSink } from "./sink.ts";
import { type RowFlow, streamRows } from "./stream.ts";
import type { WireColumn } from "./wire.ts";

/** What every operation that reads is given. */
export interface Work {
  readonly session: Session;
  readonly limits: Limits;
  readonly output: Output;
  readonly pace: Pace;
  readonly signal: AbortSignal;
}

export interface Reading extends Work {
  readonly read: Read;
  readonly batch: RowBatch;
}

/** Reads to the plan's end, or to the checkpoint at which the other side wants no more. @throws SallyportError. */
export async function readSlices(reading: Reading, start: Position | undefined): Promise<Outcome> {
  const { session, read, batch, output, pace, signal } = reading;
  const hasPositions = read.order.length > 0;
  // By key in slices, each a statement that ends by itself. By a watermark in one: each slice would sort the table anew.
  const sliceRows = hasPositions && !read.byRowversion && read.growing === undefined ? pace.sliceRows : undefined;
  let position = start;
  let positionOfLast: () => Position | undefined = () => position;
  let rows = 0;
  const currentText = (): string => {
    if (rows > 0) position = positionOfLast();
    return positionText(position!);
  };
  const pump = createPump(output, batch, pace, hasPositions ? currentText : undefined);
  const flow: RowFlow = {
    async columns(wire, guard) {
      const sinks = sinksOf(reading, wire, guard);
      if (hasPositions) positionOfLast = positionReader(read, wire, sinks);
      return sinks;
    },
    row() {
      rows++;
      return pump.row();
    },
    drain: () => pump.drain(),
  };
  const outcome = (complete: boolean): Outcome =>
    position === undefined ? { complete } : { complete, position: positionText(position) };
  try {
    for (;;) {
      rows = 0;
      const end = await streamRows(session, sliceStatement(read, position, sliceRows), flow, pace.idleMs, signal);
      if (end === "stopped") return outcome(false);
      await pump.finish();
      const before = position;
      if (hasPositions && rows > 0) position = positionOfLast();
      if (sliceRows === undefined || rows < sliceRows) return outcome(true);
      refuseStill(before, position);
      if ((await pump.checkpoint()) === "stop") return outcome(false);
    }
  } finally {
    pump.close();
  }
}

/** A slice that ends where the one before it did would be read for ever. @throws SallyportError `sql.failed` */
function refuseStill(before: Position | undefined, now: Position | undefined): void {
  if (before === undefined || now === undefined || positionText(before) !== positionText(now)) return;
  throw new SallyportError(
    "sql.failed",
    "The server gives values of the key that are not those by which it orders the rows.",
  );
}

/** A sink for each column of the read, in the order of its SELECT list. */
export function sinksOf(
  {
    read,
    batch,
    limits,
  }: Pick<Reading, "batch" | "limits"> & {
    readonly read: Pick<Read, "emitted" | "unseen" | "order">;
  },
  wire: readonly WireColumn[],
  guard: Parameters<RowFlow["columns"]>[1],
): readonly ValueSink[] {
  return [...read.emitted, ...read.unseen].map((column, at) =>
    columnSink(wire[at]!, batch.columns[at], arrowColumn(column), {
      guard,
      remember: read.order.includes(column),
      cellBytes: limits.cellBytes,
    }),
  );
}

/** Where the row stands that the sinks saw last. */
function positionReader(read: Read, wire: readonly WireColumn[], sinks: readonly ValueSink[]): () => Position {
  const selected = [...read.emitted, ...read.unseen];
  const places = read.order.map((column) => selected.indexOf(column));
  const key = createKeyReader(
    read.order.map(arrowColumn),
    places.map((at) => wire[at]!),
    places.map((at) => sinks[at]!),
  );
  if (!read.byRowversion) return () => ({ key: key.read() });
  return () => ({ rowversion: rowversionText(Buffer.from(String(key.read()[0]), "base64url")) });
}
