/** A SNAPSHOT transaction: everything read in it is of one instant, and nobody waits for it. It ends with its session. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { ISOLATION_LEVEL } from "tedious";
import { ask } from "./ask.ts";
import { statementError } from "./errors.ts";
import type { Session } from "./session.ts";
import { quoteName } from "./statement.ts";

/** 1 is ON; 0 is OFF, 2 and 3 are on their way. */
const STATE = "SELECT name, snapshot_isolation_state AS state FROM sys.databases WHERE database_id = DB_ID()";
const ON = 1;

/** @throws SallyportError `sql.snapshot_unavailable`, with the statement that would allow it. */
export async function beginSnapshot(session: Session, signal: AbortSignal): Promise<void> {
  const [row] = await ask(session, { sql: STATE, parameters: [] }, signal);
  if (row !== undefined && Number(row.state) !== ON) {
    const statement = `ALTER DATABASE ${quoteName(String(row.name))} SET ALLOW_SNAPSHOT_ISOLATION ON`;
    throw new SallyportError("sql.snapshot_unavailable", `The database does not allow snapshots: ${statement}`, {
      statement,
      state: Number(row.state),
    });
  }
  session.messages.length = 0;
  await new Promise<void>((resolve, reject) => {
    signal.throwIfAborted();
    const abort = (): void => session.connection.close();
    signal.addEventListener("abort", abort, { once: true });
    session.connection.beginTransaction(
      (error) => {
        signal.removeEventListener("abort", abort);
        if (signal.aborted) reject(signal.reason);
        else if (error) reject(statementError(error, session.messages));
        else resolve();
      },
      "",
      ISOLATION_LEVEL.SNAPSHOT,
    );
  });
}
