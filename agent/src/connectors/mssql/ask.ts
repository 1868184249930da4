/** Small questions to the server: the whole answer as objects. Never for rows of the owner's data. */
import { Request } from "tedious";
import type { Session } from "./connect.ts";
import { statementError } from "./errors.ts";
import { execute, type Statement } from "./statement.ts";

type Row = Readonly<Record<string, unknown>>;
type DriverColumn = { readonly value: unknown; readonly metadata: { readonly colName: string } };

/** @throws SallyportError, or the signal's reason. */
export function ask(session: Session, statement: Statement, signal: AbortSignal): Promise<Row[]> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    session.messages.length = 0;
    const rows: Row[] = [];
    const request = new Request(statement.sql, (error) => {
      signal.removeEventListener("abort", abort);
      if (signal.aborted) reject(signal.reason);
      else if (error) reject(statementError(error, session.messages));
      else resolve(rows);
    });
    const abort = (): void => request.cancel();
    signal.addEventListener("abort", abort, { once: true });
    request.on("row", (columns: DriverColumn[]) => {
      rows.push(Object.fromEntries(columns.map(({ metadata, value }) => [metadata.colName, value])));
    });
    execute(session.connection, request, statement.parameters);
  });
}
