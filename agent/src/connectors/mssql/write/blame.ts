/**
 * Which row it is that the server refuses. The statement names none, so halves of the waiting rows are tried until one is
 * left: what succeeds stays, what fails is undone by the server as far as its statement reached, so that all of it costs
 * about two writes. Everything is rolled back afterwards.
 */

import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { WriteAction } from "@sallyport/shared/schema/write-operations.ts";
import { askBatch } from "../ask.ts";
import type { Session } from "../session.ts";
import { stepsOf } from "./apply.ts";
import type { Target } from "./target.ts";
import { rollBack } from "./transaction.ts";

/** Constraints, NULLs, truncation, overflow, conversion: errors of one row. */
const OF_A_ROW = new Set([220, 245, 334, 513, 515, 547, 550, 2601, 2627, 2628, 8114, 8115, 8134, 8152, 9420, 241, 242]);

/** The error with `row` in its facts, where one row can be told; the error itself where it is of another kind. */
export async function blameRow(
  session: Session,
  action: WriteAction,
  target: Target,
  rows: number,
  error: unknown,
  signal: AbortSignal,
): Promise<unknown> {
  if (!(error instanceof SallyportError) || !OF_A_ROW.has(Number(error.detail.number)) || rows === 0) return error;
  // Nothing is committed while looking, so whatever goes wrong there changes nothing about the first error.
  const row = await findRow(session, action, target, rows, signal).catch(() => undefined);
  if (row === undefined) return error;
  const message = `Row ${row}, counted from 0: ${error.message} Nothing was written.`;
  return new SallyportError(error.code, message, { ...error.detail, row }, error);
}

async function findRow(
  session: Session,
  action: WriteAction,
  target: Target,
  rows: number,
  signal: AbortSignal,
): Promise<number | undefined> {
  // Without XACT_ABORT an error undoes its own statement only.
  await askBatch(session, "SET XACT_ABORT OFF; BEGIN TRANSACTION", signal);
  try {
    let [from, to] = [0, rows];
    while (to - from > 1) {
      const middle = Math.floor((from + to) / 2);
      if (await succeeds(session, action, target, from, middle, signal)) from = middle;
      else to = middle;
    }
    return (await succeeds(session, action, target, from, to, signal)) ? undefined : from;
  } finally {
    await rollBack(session, signal);
  }
}

/** False where a row is refused. @throws anything else, also where the server has ended the transaction. */
async function succeeds(
  session: Session,
  action: WriteAction,
  target: Target,
  from: number,
  to: number,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    for (const { sql } of stepsOf(action, target, { from, to })) await askBatch(session, sql, signal);
    return true;
  } catch (error) {
    if (!(error instanceof SallyportError) || !OF_A_ROW.has(Number(error.detail.number))) throw error;
    const [row] = await askBatch(session, "SELECT @@TRANCOUNT AS transactions", signal);
    if (Number(row?.transactions) !== 1) throw error;
    return false;
  }
}
