/** Who holds a run's upper bound back: the oldest open transaction that has written to the database. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { Warning } from "@sallyport/shared/protocol/warnings.ts";
import { ask } from "./ask.ts";
import type { Session } from "./session.ts";

/** From this age on a transaction is worth a warning even where the run has something to read. */
const LONG_SECONDS = 300;

const OLDEST = `SELECT TOP (1) s.session_id AS session,
DATEDIFF(second, d.database_transaction_begin_time, SYSDATETIME()) AS seconds
FROM sys.dm_tran_database_transactions d JOIN sys.dm_tran_session_transactions s ON s.transaction_id = d.transaction_id
WHERE d.database_id = DB_ID() AND d.database_transaction_begin_time IS NOT NULL
ORDER BY d.database_transaction_begin_time`;

/**
 * Warns when the bound is held back for long, or so far that there is nothing to read though something was written. The
 * session's id is there where the login has VIEW DATABASE STATE.
 * @param stalled the bound did not move since the last run.
 */
export async function warnOfOpenTransaction(
  session: Session,
  stalled: boolean,
  signal: AbortSignal,
): Promise<readonly Warning[]> {
  return warningOf(await oldestWriter(session, signal), stalled);
}

/** What is known of the oldest transaction: nothing where the login may not look. */
type Oldest = { readonly session: number; readonly seconds: number } | undefined;

export function warningOf(oldest: Oldest, stalled: boolean): readonly Warning[] {
  const isLong = oldest !== undefined && oldest.seconds >= LONG_SECONDS;
  return stalled || isLong ? [{ code: "sql.open_transaction", facts: oldest ?? {} }] : [];
}

async function oldestWriter(session: Session, signal: AbortSignal): Promise<Oldest> {
  try {
    const [row] = await ask(session, { sql: OLDEST, parameters: [] }, signal);
    return row === undefined ? undefined : { session: Number(row.session), seconds: Number(row.seconds) };
  } catch (error) {
    // Not every login may look: then the warning names nobody.
    if (error instanceof SallyportError && error.code === "sql.permission") return undefined;
    throw error;
  }
}
