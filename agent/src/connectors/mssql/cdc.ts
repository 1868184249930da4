/**
 * Changes by Change Data Capture: every committed change in the order of commits, deletes and intermediate versions
 * included, from the change table of a capture instance. Slices end where a transaction does: never inside one LSN.
 */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { sqlServerTypeText } from "@sallyport/shared/rows/types.ts";
import type { Plan, SqlChanges } from "@sallyport/shared/schema/operations.ts";
import { hasName, sameName } from "../../names.ts";
import type { Outcome } from "../connector.ts";
import { arrowColumn, type CatalogColumn, type CatalogTable } from "./catalog.ts";
import { type CaptureInstance, findInstance, keptMinutes, type Lsns, lsnsOf } from "./cdc-instance.ts";
import { CDC_OPERATION, readCaptured } from "./cdc-rows.ts";
import { type ChangeWatermark, lost, parseWatermark, retentionWarning, watermarkText } from "./change-watermark.ts";
import { loadFirst, requireKeyRead } from "./first-load.ts";
import { lsnAfter, lsnBefore } from "./lsn.ts";
import { operationColumn } from "./operation-column.ts";
import { parsePosition } from "./position.ts";
import { chooseColumns, requireAllowed } from "./read-plan.ts";
import { withMaskWarnings } from "./server-masks.ts";
import type { Work } from "./slices.ts";
import { quoteName } from "./statement.ts";
import { checkPlan } from "./table.ts";

/** @param masked by the server for this login. @throws SallyportError `sql.not_tracked`, `sql.permission`, `sql.watermark_lost`, `request.*`. */
export async function readCdc(
  work: Work,
  table: CatalogTable,
  operation: SqlChanges,
  allowed: "*" | readonly string[],
  masked: readonly CatalogColumn[],
): Promise<Outcome> {
  const { session, signal } = work;
  const instance = await findInstance(session, table, operation, signal);
  refuseComputed(table, operation);
  // An instance keeps what a column held that was dropped since; the policy speaks of those that the table has.
  const kept = instance.columns.filter(({ name }) =>
    table.columns.some((column) => sameName(column.name, name) && column.isComputed !== true),
  );
  const columns = chooseColumns({ columns: kept }, operation, allowed).map((column) => ({
    ...column,
    nullable: !hasName(
      table.key.map(({ name }) => name),
      column.name,
    ),
  }));
  requireKeyRead({ table, columns });
  requireAllowed(table.key, allowed);
  const lsns = await lsnsOf(session, instance, signal);
  // Later runs read the change table, which has columns of its own.
  if (operation.from !== undefined) return nextRun(work, table, instance, columns, operation, lsns);
  const outcome = await firstRun(work, table, instance, columns, operation, allowed, lsns);
  return withMaskWarnings(outcome, columns, masked);
}

/** Of a computed column a change table has NULL, whatever the row held. @throws SallyportError `request.invalid` */
function refuseComputed(table: CatalogTable, { columns }: SqlChanges): void {
  const computed = table.columns.filter(({ isComputed }) => isComputed === true);
  const found =
    table.key.find((part) => computed.includes(part)) ??
    computed.find(({ name }) => columns !== "*" && hasName(columns, name));
  if (found === undefined) return;
  throw new SallyportError(
    "request.invalid",
    `Column ${found.name} is computed, and Change Data Capture keeps no values of it: leave it out, or read by Change Tracking.`,
    { field: "operation.columns", column: found.name },
  );
}

async function firstRun(
  work: Work,
  table: CatalogTable,
  instance: CaptureInstance,
  columns: readonly CatalogColumn[],
  operation: SqlChanges,
  allowed: "*" | readonly string[],
  lsns: Lsns,
): Promise<Outcome> {
  const version = reached(lsns);
  const now = watermarkText("cdc", { objectId: instance.objectId, version, at: lsns.at });
  const planned = operation.plan?.to ?? operation.to ?? now;
  return loadFirst(
    work,
    { table, columns: columns.map((column) => fromTable(table, column)), operation, allowed },
    planned,
  );
}

/** The table's own column, in the type in which its changes are kept: so every run has one schema. */
function fromTable(table: CatalogTable, kept: CatalogColumn): CatalogColumn {
  const own = table.columns.find(({ name }) => sameName(name, kept.name));
  if (own === undefined) {
    throw new SallyportError("sql.not_found", `The table has no column ${kept.name} any more.`, { column: kept.name });
  }
  const type = sqlServerTypeText(kept.declared);
  if (sqlServerTypeText(own.declared) !== type)
    return { ...kept, expression: `CAST(${quoteName(own.name)} AS ${type})` };
  // The very object that the key has, where it is of the key.
  return table.key.includes(own) || own.nullable ? own : { ...own, nullable: true };
}

async function nextRun(
  work: Work,
  table: CatalogTable,
  instance: CaptureInstance,
  columns: readonly CatalogColumn[],
  operation: SqlChanges,
  lsns: Lsns,
): Promise<Outcome> {
  const { session, signal, output } = work;
  const from = parseWatermark("cdc", operation.from ?? "");
  refuseLost(from, instance, lsns);
  const given = operation.plan?.to ?? operation.to;
  const latest = reached(lsns);
  const version = latest < from.version ? from.version : latest;
  const to = given ?? watermarkText("cdc", { objectId: instance.objectId, version, at: lsns.at });
  const bound = parseWatermark("cdc", to).version;
  const plan: Plan = { to, key: table.key.map(({ name }) => name), isolation: "readCommitted", consistency: "exact" };
  checkPlan(operation.plan, plan);
  const start = startOf(operation, from.version);
  if (lsns.least > lsnAfter(start)) lost("the server has cleaned them up", { position: start, minimum: lsns.least });
  const read = { instance, columns: [operationColumn(CDC_OPERATION), ...columns], after: start, to: bound };
  const batch = await output.schema(read.columns.map(arrowColumn), plan);
  const outcome = await readCaptured(work, read, batch);
  const warnings = retentionWarning(from, lsns.at, await keptMinutes(session, signal));
  return { ...outcome, warnings };
}

function startOf({ position }: SqlChanges, from: string): string {
  if (position === undefined) return from;
  const parsed = parsePosition(position);
  if ("lsn" in parsed) return parsed.lsn;
  throw new SallyportError("request.plan_changed", "The position does not fit the way these changes are read.");
}

/** Up to where everything was captured: the job that reads the log may not yet have come to where the instance begins. */
function reached({ least, most }: Lsns): string {
  const before = lsnBefore(least);
  return most === undefined || most < before ? before : most;
}

function refuseLost(from: ChangeWatermark, { objectId, name }: CaptureInstance, lsns: Lsns): void {
  const { least } = lsns;
  const latest = reached(lsns);
  const facts = { watermark: from.version, minimum: least, current: latest, instance: name };
  if (from.objectId !== objectId) lost("the capture instance was made again", facts);
  if (lsnAfter(from.version) < least) lost("the server has cleaned them up", facts);
  if (from.version > latest) lost("the database was restored to an earlier state", facts);
}
