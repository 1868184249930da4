/** `sql.table`: a whole table by slices of its key, or what changed since a rowversion (docs/connectors/mssql.md, "Reading"). */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { RowBatch } from "@sallyport/shared/rows/columns.ts";
import type { Limits, Plan, SqlTable } from "@sallyport/shared/schema/operations.ts";
import type { Grant, Outcome, Output } from "../connector.ts";
import { arrowColumn, resolveTable } from "./catalog.ts";
import type { Session } from "./connect.ts";
import { columnSink, createPump, type Pace } from "./flow.ts";
import { createKeyReader, type Position, parsePosition, positionText, rowversionText } from "./position.ts";
import { planRead, type Read } from "./read-plan.ts";
import { sliceStatement } from "./select.ts";
import type { ValueSink } from "./sink.ts";
import { type RowFlow, streamRows } from "./stream.ts";
import type { WireColumn } from "./wire.ts";

type TableGrant = Extract<Grant, { kind: "table" }>;

/** @throws SallyportError. */
export async function readTable(
  session: Session,
  operation: SqlTable,
  grant: TableGrant,
  limits: Limits,
  output: Output,
  pace: Pace,
  signal: AbortSignal,
): Promise<Outcome> {
  const table = await resolveTable(session, operation.table, grant.named === true, signal);
  const read = await planRead(session, table, operation, grant.columns, signal);
  const plan: Plan = {
    to: read.to ?? null,
    key: read.table.key.map(({ name }) => name),
    isolation: "readCommitted",
    consistency: read.table.key.length > 0 ? "fuzzy" : "statement",
  };
  checkPlan(operation.plan, plan);
  const start = startOf(operation, read);
  const batch = await output.schema(read.emitted.map(arrowColumn), plan);
  return readSlices({ session, read, batch, limits, output, pace, signal }, start);
}

/** The run's plan, fixed by its first session, must be what this session would do too. */
function checkPlan(stored: Plan | undefined, now: Plan): void {
  if (stored === undefined) return;
  const same =
    JSON.stringify(stored.key) === JSON.stringify(now.key) &&
    stored.isolation === now.isolation &&
    stored.consistency === now.consistency &&
    stored.to === now.to;
  if (!same) {
    throw new SallyportError("request.plan_changed", "The table's key changed since the run began.", { key: now.key });
  }
}

function startOf(operation: SqlTable, read: Read): Position | undefined {
  if (operation.position === undefined) return undefined;
  const position = parsePosition(operation.position);
  const fits = "rowversion" in position ? read.byRowversion : position.key.length === read.order.length;
  if (read.order.length > 0 && fits && read.byRowversion === "rowversion" in position) return position;
  throw new SallyportError("request.plan_changed", "The position does not fit the way this table is read now.");
}

interface Reading {
  readonly session: Session;
  readonly read: Read;
  readonly batch: RowBatch;
  readonly limits: Limits;
  readonly output: Output;
  readonly pace: Pace;
  readonly signal: AbortSignal;
}

async function readSlices(reading: Reading, start: Position | undefined): Promise<Outcome> {
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
      if (hasPositions && rows > 0) position = positionOfLast();
      if (sliceRows === undefined || rows < sliceRows) return outcome(true);
      if ((await pump.checkpoint()) === "stop") return outcome(false);
    }
  } finally {
    pump.close();
  }
}

function sinksOf(
  { read, batch, limits }: Reading,
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
