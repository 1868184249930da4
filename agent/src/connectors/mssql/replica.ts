/** Whether the database is a copy that only reads: what bounds a run there is the copy's own, and not the primary's. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { ask } from "./ask.ts";
import { isTrue } from "./catalog.ts";
import type { Session } from "./session.ts";

// A database that was set to READ_ONLY says so in both; a readable secondary, or a geo-replica, in the first alone.
const COPY = `SELECT CAST(DATABASEPROPERTYEX(DB_NAME(), 'Updateability') AS nvarchar(20)) AS updateability, is_read_only AS isReadOnly
FROM sys.databases WHERE database_id = DB_ID()`;

/**
 * Rowversions below the copy's `MIN_ACTIVE_ROWVERSION` may still come from the primary, and Change Tracking is not served there
 * at all (error 22117). @throws SallyportError `request.invalid`
 */
export async function refuseReplica(session: Session, signal: AbortSignal): Promise<void> {
  const [row] = await ask(session, { sql: COPY, parameters: [] }, signal);
  if (row?.updateability !== "READ_ONLY" || isTrue(row.isReadOnly)) return;
  throw new SallyportError(
    "request.invalid",
    "The database is a copy that only reads: changes are found on the primary, or by Change Data Capture.",
    { field: "operation.watermark" },
  );
}
