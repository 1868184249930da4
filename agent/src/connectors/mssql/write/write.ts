/** `sql.write`: rows into a temporary table, then, once all have come, into the target in one transaction. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { SqlWrite } from "@sallyport/shared/schema/write-operations.ts";
import type { Grant, Input, Outcome, Output } from "../../connector.ts";
import { ask } from "../ask.ts";
import type { Session } from "../session.ts";
import { type Counted, stepsOf } from "./apply.ts";
import { blameRow } from "./blame.ts";
import { createRequestKeys, type RequestKeys } from "./requests.ts";
import { stage } from "./stage.ts";
import { resolveTarget, type Target } from "./target.ts";
import { inTransaction } from "./transaction.ts";

export type WriteGrant = Extract<Grant, { kind: "write" }>;

/** What a write did, as its result frame tells it. */
export type WriteCounts = Record<Counted, number> & { readonly rows: number };

/** @throws SallyportError: `write.outcome_unknown` where nobody can say; of any other nothing was written. */
export async function write(
  session: Session,
  operation: SqlWrite,
  grant: WriteGrant,
  { input, output }: { readonly input: Input; readonly output: Output },
  signal: AbortSignal,
): Promise<Outcome> {
  const { table, columns, action } = operation;
  const inserts = action !== "update" && action !== "delete";
  const target = await resolveTarget(session, { table, columns, key: grant.key, named: grant.named, inserts }, signal);
  const rows = await stage(session, target, input, signal);
  const keys = keysOf(session, operation, grant);
  const change = (): Promise<{ answer: unknown; repeated: boolean }> =>
    changed(session, operation, target, rows, keys, signal);
  const done = await inTransaction(session, "ours", change, signal).catch(async (error: unknown) => {
    throw await blameRow(session, action, target, rows, error, signal);
  });
  await output.result({ op: operation.op, ...(done.answer as object), repeated: done.repeated });
  return { complete: true, committed: true };
}

function keysOf(session: Session, operation: SqlWrite, { requestTable }: WriteGrant): RequestKeys | undefined {
  const { idempotencyKey: key, table, action, columns } = operation;
  if (key === undefined || requestTable === undefined) return undefined;
  return createRequestKeys(session, requestTable, key, JSON.stringify(["sql.write", table, action, columns]));
}

async function changed(
  session: Session,
  operation: SqlWrite,
  target: Target,
  rows: number,
  keys: RequestKeys | undefined,
  signal: AbortSignal,
): Promise<{ readonly answer: unknown; readonly repeated: boolean }> {
  const before = await keys?.take(signal);
  if (before !== undefined) return { answer: before.answer, repeated: true };
  const counts: WriteCounts = { rows, inserted: 0, updated: 0, deleted: 0 };
  for (const { counts: what, sql } of stepsOf(operation.action, target)) {
    counts[what] = countOf(await ask(session, { sql, parameters: [] }, signal));
  }
  await keys?.keep(counts, signal);
  return { answer: counts, repeated: false };
}

/**
 * The number of rows that a step tells last: a trigger of the target may give rows of its own before that. Asked before COMMIT,
 * because afterwards an answer that is none could not be taken back. @throws SallyportError `sql.failed`
 */
export function countOf(rows: readonly Readonly<Record<string, unknown>>[]): number {
  const changed = Number(rows.at(-1)?.changed ?? Number.NaN);
  if (Number.isSafeInteger(changed) && changed >= 0) return changed;
  throw new SallyportError("sql.failed", "The server does not say how many rows the statement changed.");
}
