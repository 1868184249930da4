/** Small questions to the server: the whole answer as objects. Never for rows of the owner's data. */
import { Request } from "tedious";
import { statementError } from "./errors.ts";
import type { Session } from "./session.ts";
import { execute, type Statement } from "./statement.ts";

type Row = Readonly<Record<string, unknown>>;
type DriverColumn = { readonly value: unknown; readonly metadata: { readonly colName: string } };

/** @throws SallyportError, or the signal's reason. */
export const ask = (session: Session, { sql, parameters }: Statement, signal: AbortSignal): Promise<Row[]> =>
  send(session, sql, signal, (request) => execute(session.connection, request, parameters));

/**
 * The same as a batch without parameters, in which transactions may begin and end: within `sp_executesql` the server
 * would complain of error 266. @throws SallyportError, or the signal's reason.
 */
export const askBatch = (session: Session, sql: string, signal: AbortSignal): Promise<Row[]> =>
  send(session, sql, signal, (request) => session.connection.execSqlBatch(request));

function send(session: Session, sql: string, signal: AbortSignal, start: (request: Request) => void): Promise<Row[]> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    session.messages.length = 0;
    const rows: Row[] = [];
    const request = new Request(sql, (error) => {
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
    start(request);
  });
}
