/**
 * Changes by Change Tracking, netted by key: one SNAPSHOT transaction in which the minimum is checked, the version taken
 * and the changes are read beside the rows as they are. Guarantee: folding the manifests by key, deletes included, equals
 * the table as of the version in the last one. It is one slice: a session that is lost starts it again.
 *
 * `consistency: convergent` does without the snapshot: a row may then be newer than the version, and the next run, which
 * reads from that version, says so again.
 */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { Plan } from "@sallyport/shared/schema/operations.ts";
import { TYPES } from "tedious";
import type { Outcome } from "../connector.ts";
import { ask } from "./ask.ts";
import { arrowColumn, type CatalogColumn, type CatalogTable } from "./catalog.ts";
import { type ChangeWatermark, lost, parseWatermark, retentionWarning, watermarkText } from "./change-watermark.ts";
import { type ChangesRead, loadFirst, requireKeyRead } from "./first-load.ts";
import { maybeGone, operationColumn } from "./operation-column.ts";
import { requireAllowed } from "./read-plan.ts";
import { refuseReplica } from "./replica.ts";
import type { Session } from "./session.ts";
import { readSlices, type Work } from "./slices.ts";
import { beginSnapshot } from "./snapshot.ts";
import { quoteName, quoteTable, type Statement } from "./statement.ts";
import { checkPlan } from "./table.ts";

const VERSIONS = `SELECT CHANGE_TRACKING_CURRENT_VERSION() AS latest, CHANGE_TRACKING_MIN_VALID_VERSION(@id) AS minimum,
SYSUTCDATETIME() AS at`;
const RETENTION = `SELECT retention_period AS period, retention_period_units AS units FROM sys.change_tracking_databases
WHERE database_id = DB_ID()`;
/** Minutes of a retention's units, as `sys.change_tracking_databases` numbers them. */
const UNIT_MINUTES: Readonly<Record<number, number>> = { 1: 1, 2: 60, 3: 1440 };

/** @throws SallyportError `sql.not_tracked`, `sql.watermark_lost`, `sql.snapshot_unavailable`, `sql.no_key`, `request.*`. */
export async function readTracked(work: Work, changes: ChangesRead): Promise<Outcome> {
  const { table, operation } = changes;
  if (!table.keyIsPrimary) {
    throw new SallyportError("sql.no_key", `${operation.table} has no primary key that can be compared.`, {
      table: operation.table,
    });
  }
  requireKeyRead(changes);
  requireAllowed(table.key, changes.allowed);
  await refuseReplica(work.session, work.signal);
  return operation.from === undefined ? firstRun(work, changes) : nextRun(work, changes, operation.from);
}

async function firstRun(work: Work, changes: ChangesRead): Promise<Outcome> {
  const { table, operation } = changes;
  const planned = operation.plan?.to ?? operation.to;
  if (typeof planned === "string") return loadFirst(work, changes, planned);
  const { latest, at } = await versionsOf(work.session, table, work.signal);
  return loadFirst(work, changes, watermarkText("ct", { objectId: table.objectId, version: String(latest), at }));
}

async function nextRun(work: Work, changes: ChangesRead, since: string): Promise<Outcome> {
  const { session, output, signal } = work;
  const { table, operation, columns } = changes;
  const from = parseWatermark("ct", since);
  if (operation.to !== undefined) {
    throw new SallyportError("request.invalid", "Net changes have no upper bound but now: leave `to` out.", {
      field: "operation.to",
    });
  }
  const isSnapshot = operation.consistency === undefined;
  if (isSnapshot) await beginSnapshot(session, signal);
  const versions = await versionsOf(session, table, signal);
  refuseLost(from, table, versions);
  const now = watermarkText("ct", { objectId: table.objectId, version: String(versions.latest), at: versions.at });
  const plan: Plan = {
    // Without a snapshot what is read is no older than the bound that the run's first session took.
    to: isSnapshot ? now : (operation.plan?.to ?? now),
    key: table.key.map(({ name }) => name),
    isolation: isSnapshot ? "snapshot" : "readCommitted",
    consistency: isSnapshot ? "exact" : "fuzzy",
  };
  checkPlan(operation.plan, plan);
  const emitted = changedColumns(table, columns);
  const read = { table, emitted, unseen: [], order: [], byRowversion: false, source: changesSource(table, from) };
  const batch = await output.schema(emitted.map(arrowColumn), plan);
  const outcome = await readSlices({ ...work, read, batch }, undefined);
  if (!isSnapshot) refuseLost(from, table, await versionsOf(session, table, signal));
  const warnings = retentionWarning(from, versions.at, await keptMinutes(session, signal));
  return { ...outcome, warnings };
}

interface Versions {
  readonly latest: bigint;
  readonly minimum: bigint;
  readonly at: Date;
}

async function versionsOf(session: Session, table: CatalogTable, signal: AbortSignal): Promise<Versions> {
  const parameters = [{ name: "id", type: TYPES.Int, value: table.objectId }];
  const [row] = await ask(session, { sql: VERSIONS, parameters }, signal);
  if (typeof row?.latest !== "string" || typeof row.minimum !== "string" || !(row.at instanceof Date)) {
    const name = `${table.schema}.${table.name}`;
    throw new SallyportError("sql.not_tracked", `Change Tracking is not on for ${name}, or the login may not see it.`, {
      table: name,
    });
  }
  return { latest: BigInt(row.latest), minimum: BigInt(row.minimum), at: row.at };
}

function refuseLost(from: ChangeWatermark, { objectId }: CatalogTable, { latest, minimum }: Versions): void {
  const facts = { watermark: from.version, minimum: String(minimum), current: String(latest) };
  if (from.objectId !== objectId) lost("the table was made again", { ...facts, object: objectId });
  if (BigInt(from.version) < minimum) lost("the server has cleaned them up", facts);
  if (BigInt(from.version) > latest) lost("the database was restored to an earlier state", facts);
}

async function keptMinutes(session: Session, signal: AbortSignal): Promise<number | undefined> {
  const [row] = await ask(session, { sql: RETENTION, parameters: [] }, signal);
  const unit = UNIT_MINUTES[Number(row?.units)];
  return unit === undefined ? undefined : Number(row?.period) * unit;
}

/** The changes since a version, each beside its row as it is now; `ct` and `t` name the two. */
function changesSource(table: CatalogTable, from: ChangeWatermark): Statement {
  const same = table.key.map(({ name }) => `t.${quoteName(name)} = ct.${quoteName(name)}`).join(" AND ");
  return {
    sql: `CHANGETABLE(CHANGES ${quoteTable(table)}, @since) AS ct LEFT JOIN ${quoteTable(table)} AS t ON ${same}`,
    parameters: [{ name: "since", type: TYPES.BigInt, value: BigInt(from.version) }],
  };
}

/** A key of what is gone stands in the change only; whether a row is there at all decides what happened to it. */
function changedColumns(table: CatalogTable, columns: readonly CatalogColumn[]): CatalogColumn[] {
  const first = quoteName(table.key[0]?.name ?? "");
  const operation = `CASE WHEN t.${first} IS NULL THEN 'delete' WHEN ct.SYS_CHANGE_OPERATION = 'I' THEN 'insert' ELSE 'update' END`;
  const placed = maybeGone(columns, table).map((column) => ({
    ...column,
    expression: `${table.key.includes(column) ? "ct" : "t"}.${quoteName(column.name)}`,
  }));
  return [operationColumn(operation), ...placed];
}
