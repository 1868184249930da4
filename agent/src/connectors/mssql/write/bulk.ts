/**
 * A bulk load of rows that are bytes already [MS-TDS 2.2.6.1]. The driver's own takes a JavaScript value for each cell and
 * puts decimals and times through doubles and Dates; here it writes only what stands around the rows.
 */
import { Request } from "tedious";
import { statementError } from "../errors.ts";
import type { Session } from "../session.ts";
import type { Wire } from "./target-column.ts";

export interface BulkColumn {
  readonly name: string;
  readonly wire: Wire;
}

type BulkLoad = ReturnType<Session["connection"]["newBulkLoad"]>;

/** The parts of tedious 20.3.9 that its types do not show; a test of this folder fails when they are gone. */
interface Driver {
  makeRequest(request: BulkLoad, packetType: number, payload: AsyncIterable<Buffer>): void;
}
interface Framing {
  getBulkInsertSql(): string;
  getColMetaData(): Buffer;
  createDoneToken(): Buffer;
}

const BULK_LOAD_PACKET = 0x07;

/**
 * Sends the rows as they come; nobody else sees them before the load has ended.
 * @throws what `chunks` throws, SallyportError for the server's, the signal's reason
 */
export function bulkLoad(
  session: Session,
  table: string,
  columns: readonly BulkColumn[],
  chunks: AsyncIterable<Buffer>,
  signal: AbortSignal,
): Promise<void> {
  const { connection, messages } = session;
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    messages.length = 0;
    let failure: { readonly thrown: unknown } | undefined;
    const done = (error?: Error | null): void => {
      signal.removeEventListener("abort", abort);
      if (signal.aborted) reject(signal.reason);
      else if (failure !== undefined) reject(failure.thrown);
      else if (error) reject(statementError(error, messages));
      else resolve();
    };
    const load = connection.newBulkLoad(table, { keepNulls: true, lockTable: true }, done);
    const abort = (): void => load.cancel();
    signal.addEventListener("abort", abort, { once: true });
    for (const { name, wire } of columns) {
      const { type, isMax: _, ...sizes } = wire;
      load.addColumn(name, type, { nullable: true, ...sizes });
    }
    const framing = load as unknown as Framing;
    async function* payload(): AsyncGenerator<Buffer> {
      yield framing.getColMetaData();
      try {
        yield* chunks;
      } catch (thrown) {
        failure = { thrown };
        throw thrown;
      }
      yield framing.createDoneToken();
    }
    const announcement = new Request(framing.getBulkInsertSql(), (error) => {
      if (error) done(error);
      else (connection as unknown as Driver).makeRequest(load, BULK_LOAD_PACKET, payload());
    });
    connection.execSqlBatch(announcement);
  });
}
