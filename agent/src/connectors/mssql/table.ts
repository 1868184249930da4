/** `sql.table`: a whole table by slices of its key, or what changed since a rowversion (docs/connectors/mssql.md, "Reading"). */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { Plan, SqlTable } from "@sallyport/shared/schema/operations.ts";
import type { Grant, Outcome } from "../connector.ts";
import { arrowColumn, type CatalogTable, resolveTable } from "./catalog.ts";
import { planFilter } from "./filter.ts";
import { checkMasks } from "./masked.ts";
import { type Position, parsePosition } from "./position.ts";
import { planRead, type Read } from "./read-plan.ts";
import { checkServerMasks, maskedByServer, withMaskWarnings } from "./server-masks.ts";
import { readSlices, type Work } from "./slices.ts";
import { beginSnapshot } from "./snapshot.ts";

type TableGrant = Extract<Grant, { kind: "table" }>;

/** @throws SallyportError. */
export async function readTable(work: Work, operation: SqlTable, grant: TableGrant): Promise<Outcome> {
  const { session, signal, output } = work;
  const wanted = { named: grant.named === true, timestamps: operation.timestamps };
  const table = await resolveTable(session, operation.table, wanted, signal);
  checkMasks(table, operation, grant);
  const masked = await maskedByServer(session, table, signal);
  checkServerMasks(table, operation, masked);
  const isSnapshot = operation.consistency === "snapshot";
  const planned = await planRead(session, table, operation, grant.columns, signal);
  const read = operation.filter === undefined ? planned : { ...planned, filter: planFilter(table, operation.filter) };
  if (isSnapshot) {
    refuseInMemory(table);
    await beginSnapshot(session, signal);
  }
  const plan: Plan = {
    to: read.to ?? null,
    key: read.table.key.map(({ name }) => name),
    isolation: isSnapshot ? "snapshot" : "readCommitted",
    consistency: isSnapshot ? "exact" : read.table.key.length > 0 ? "fuzzy" : "statement",
  };
  checkPlan(operation.plan, plan);
  const start = startOf(operation, read);
  const batch = await output.schema(read.emitted.map(arrowColumn), plan);
  const outcome = await readSlices({ ...work, read, batch }, start);
  const { warnings = [] } = read;
  return withMaskWarnings(warnings.length === 0 ? outcome : { ...outcome, warnings }, read.emitted, masked);
}

/** A SNAPSHOT transaction reads no such table: error 41332. @throws SallyportError `request.invalid` */
function refuseInMemory({ isInMemory, schema, name }: CatalogTable): void {
  if (isInMemory !== true) return;
  throw new SallyportError(
    "request.invalid",
    `${schema}.${name} is memory-optimized, and no snapshot of it can be read: leave \`consistency\` out.`,
    { field: "operation.consistency" },
  );
}

/** The run's plan, fixed by its first session, must be what this session would do too. */
export function checkPlan(stored: Plan | undefined, now: Plan): void {
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

export function startOf(operation: Pick<SqlTable, "position">, read: Read): Position | undefined {
  if (operation.position === undefined) return undefined;
  const position = parsePosition(operation.position);
  const fits = "rowversion" in position || ("key" in position && position.key.length === read.order.length);
  if (read.order.length > 0 && fits && read.byRowversion === "rowversion" in position) return position;
  throw new SallyportError("request.plan_changed", "The position does not fit the way this table is read now.");
}
