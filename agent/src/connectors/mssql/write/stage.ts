/** Rows into a temporary table of this session, where they wait until all have come. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { Column } from "@sallyport/shared/rows/types.ts";
import { TYPES } from "tedious";
import { sameName } from "../../../names.ts";
import type { Input } from "../../connector.ts";
import { ask, askBatch } from "../ask.ts";
import type { Session } from "../session.ts";
import { type BulkColumn, bulkLoad } from "./bulk.ts";
import { createRowWriter, type RowWriter } from "./row-writer.ts";
import type { Target } from "./target.ts";
import { type TargetColumn, waitingType, wireOf } from "./target-column.ts";

export const WAITING = "#sallyport";
/** A row's number in the request, from 0. */
export const ORDINAL = "o";

/** What a column is called there: names of the target never are, so that none has to be quoted for a bulk load. */
export const waitingName = (target: Target, column: TargetColumn): string => `c${target.columns.indexOf(column)}`;

const ORDINAL_COLUMN: BulkColumn = { name: ORDINAL, wire: { type: TYPES.Int, isMax: false } };

/**
 * Takes the whole input. Nothing outside this session is changed.
 * @returns how many rows wait
 * @throws request.invalid for other columns than the request's, or a key that comes twice; value.not_exact; limit.*
 */
export async function stage(session: Session, target: Target, input: Input, signal: AbortSignal): Promise<number> {
  requireColumns(await input.columns(), target);
  await askBatch(session, createWaiting(target), signal);
  const columns = target.columns.map((column) => ({ name: waitingName(target, column), wire: wireOf(column) }));
  const writer = createRowWriter(target.columns);
  await bulkLoad(session, WAITING, [ORDINAL_COLUMN, ...columns], chunksOf(input, writer), signal);
  if (target.key.length > 0) await requireDistinctKeys(session, target, signal);
  return writer.rows;
}

async function* chunksOf(input: Input, writer: RowWriter): AsyncGenerator<Buffer> {
  for (;;) {
    const batch = await input.next();
    if (batch === undefined) return;
    yield* writer.write(batch);
  }
}

/** The rows have the columns that the signed request states, which the policy was asked about. */
function requireColumns(given: readonly Column[], target: Target): void {
  const same =
    given.length === target.columns.length && given.every(({ name }, at) => sameName(name, target.columns[at]!.name));
  if (!same) throw new SallyportError("request.invalid", "The rows have other columns than the request.");
}

function createWaiting(target: Target): string {
  const columns = target.columns.map((column) => {
    const isKey = target.key.includes(column);
    return `${waitingName(target, column)} ${waitingType(column)} ${isKey ? "NOT NULL" : "NULL"}`;
  });
  const order = [...target.key.map((column) => waitingName(target, column)), ORDINAL].join(", ");
  return `CREATE TABLE ${WAITING} (${ORDINAL} int NOT NULL, ${columns.join(", ")}, PRIMARY KEY (${order}))`;
}

/** Of two rows with one key nobody could say which is to win. */
async function requireDistinctKeys(session: Session, target: Target, signal: AbortSignal): Promise<void> {
  const key = target.key.map((column) => waitingName(target, column)).join(", ");
  const sql = `SELECT MIN(d.again) AS again FROM (SELECT MAX(${ORDINAL}) AS again FROM ${WAITING} GROUP BY ${key} HAVING COUNT(*) > 1) AS d`;
  const [found] = await ask(session, { sql, parameters: [] }, signal);
  if (found?.again === null || found?.again === undefined) return;
  const row = Number(found.again);
  throw new SallyportError("request.invalid", `Row ${row}, counted from 0, has the key of a row before it.`, { row });
}
