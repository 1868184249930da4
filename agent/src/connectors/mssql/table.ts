/** `sql.table`: a whole table by slices of its key, or what changed since a rowversion (SQL.md section 3). */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { RowBatch } from "@sallyport/shared/rows/columns.ts";
import type { Limits, Plan, SqlTable } from "@sallyport/shared/schema/operations.ts";
import type { Grant, Outcome, Output } from "../connector.ts";
import { arrowColumn, type CatalogColumn, resolveTable } from "./catalog.ts";
import type { Session } from "./connect.ts";
import { columnSink, createPump, type Pace, type Pump } from "./flow.ts";
import { createKeyReader, type Position, parsePosition, positionText, rowversionText } from "./position.ts";
import { planRead, type Read } from "./read-plan.ts";
import { sliceStatement } from "./select.ts";
import type { ValueSink } from "./sink.ts";
import { streamRows } from "./stream.ts";

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
  const columns = read.emitted.map(arrowColumn);
  const batch = await output.schema(columns, plan);
  return readSlices(session, read, startOf(operation, read), batch, limits, output, pace, signal);
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
  const fits =
    "key" in position ? position.key.length === read.table.key.length && !read.byRowversion : read.byRowversion;
  if (fits && read.order.length > 0) return position;
  throw new SallyportError("request.plan_changed", "The position does not fit the way this table is read now.");
}

async function readSlices(
  session: Session,
  read: Read,
  start: Position | undefined,
  batch: RowBatch,
  limits: Limits,
  output: Output,
  pace: Pace,
  signal: AbortSignal,
): Promise<Outcome> {
  const selected = [...read.emitted, ...read.unseen];
  let sinks: readonly ValueSink[] = [];
  let keyOfLast: (() => Position) | undefined;
  let position = start;
  let rows = 0;
  const hasPositions = read.order.length > 0;
  const pump: Pump = createPump(
    output,
    batch,
    pace,
    hasPositions
      ? () => {
          if (keyOfLast !== undefined && rows > 0) position = keyOfLast();
          return positionText(position!);
        }
      : undefined,
  );
  // By key in slices, each a statement that ends by itself. By rowversion in one: each slice would sort the table anew.
  const sliceRows = hasPositions && !read.byRowversion ? pace.sliceRows : undefined;
  const outcome = (complete: boolean): Outcome =>
    position === undefined ? { complete } : { complete, position: positionText(position) };
  try {
    for (;;) {
      rows = 0;
      const flow = {
        async columns(wire: Parameters<typeof columnSink>[0][], guard: Parameters<typeof columnSink>[3]["guard"]) {
          sinks = selected.map((column, at) =>
            columnSink(wire[at]!, batch.columns[at], arrowColumn(column), {
              guard,
              remember: read.order.includes(column),
              cellBytes: limits.cellBytes,
            }),
          );
          keyOfLast = keyReaderOf(read, selected, wire, sinks);
          return sinks;
        },
        row() {
          rows++;
          return pump.row();
        },
        drain: () => pump.drain(),
      };
      const statement = sliceStatement(read, position, sliceRows);
      const end = await streamRows(session, statement, flow as Parameters<typeof streamRows>[2], pace.idleMs, signal);
      if (end === "stopped") return outcome(false);
      await pump.finish();
      if (hasPositions && rows > 0) position = keyOfLast!();
      if (sliceRows === undefined || rows < sliceRows) return outcome(true);
      if ((await pump.checkpoint()) === "stop") return outcome(false);
    }
  } finally {
    pump.close();
  }
}

function keyReaderOf(
  read: Read,
  selected: readonly CatalogColumn[],
  wire: Parameters<typeof columnSink>[0][],
  sinks: readonly ValueSink[],
): (() => Position) | undefined {
  if (read.order.length === 0) return undefined;
  const places = read.order.map((column) => selected.indexOf(column));
  const reader = createKeyReader(
    read.order.map(arrowColumn),
    places.map((at) => wire[at]!),
    places.map((at) => sinks[at]!),
  );
  if (!read.byRowversion) return () => ({ key: reader.read() });
  return () => ({ rowversion: rowversionText(Buffer.from(String(reader.read()[0]), "base64url")) });
}
