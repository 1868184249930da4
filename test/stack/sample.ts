/** Fills the sample database as its own administrator would, through `mssql`: the product never writes to it. */
import sql from "mssql";
import { exactSql, readExactRows } from "./exact.ts";
import { readFlights } from "./flights.ts";

export interface SampleServer {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string;
  readonly ca: string;
  /** Encrypted, to whoever answers. */
  readonly trustAnyCertificate?: boolean;
  /** `strict` is TDS 8; otherwise TLS inside TDS. */
  readonly encrypt?: "strict";
}

export interface Sample {
  /** Adds one minute to the delay of `count` flights, spread over the table. */
  change(count: number): Promise<void>;
  close(): Promise<void>;
}

/** How `mssql` connects to it, always with TLS. */
export const connectionConfig = (server: SampleServer): sql.config => ({
  server: server.host,
  port: server.port,
  database: server.database,
  user: server.user,
  password: server.password,
  options: {
    encrypt: (server.encrypt ?? true) as true,
    trustServerCertificate: server.trustAnyCertificate ?? false,
    cryptoCredentialsDetails: { ca: server.ca },
    appName: "sallyport demo",
  },
  requestTimeout: 120_000,
  pool: { max: 1 },
});

const flightsTable = (schema: string) => `CREATE TABLE [${schema}].[Flights] (
  [Id] bigint NOT NULL PRIMARY KEY, [DepartedAt] datetime2(7) NOT NULL, [Delay] int NOT NULL, [Distance] int NOT NULL,
  [Origin] nvarchar(8) NOT NULL, [Destination] nvarchar(8) NOT NULL, [Version] rowversion NOT NULL)`;

/** Makes and fills `Flights` (with `flights` rows) and `Exact`, in a schema that is there. */
export async function fillSample(
  server: SampleServer,
  flights: number,
  onRows: (rows: number) => void,
  schema = "dbo",
  signal: AbortSignal = new AbortController().signal,
): Promise<Sample> {
  const pool = await new sql.ConnectionPool(connectionConfig(server)).connect();
  try {
    await fillTables(pool, schema, flights, onRows, signal);
  } catch (thrown) {
    await pool.close();
    throw thrown;
  }
  return {
    change: async (count) => {
      const step = Math.max(1, Math.floor(flights / count));
      const last = step * count;
      await pool
        .request()
        .batch(`UPDATE [${schema}].[Flights] SET [Delay] = [Delay] + 1 WHERE [Id] % ${step} = 0 AND [Id] <= ${last}`);
    },
    close: () => pool.close(),
  };
}

async function fillTables(
  pool: sql.ConnectionPool,
  schema: string,
  flights: number,
  onRows: (rows: number) => void,
  signal: AbortSignal,
): Promise<void> {
  await pool.request().batch(flightsTable(schema));
  let filled = 0;
  for await (const chunk of inThousands(readFlights(flights), 20)) {
    const table = new sql.Table(`${schema}.Flights`);
    table.create = false;
    table.columns.add("Id", sql.BigInt, { nullable: false });
    table.columns.add("DepartedAt", sql.DateTime2(7), { nullable: false });
    table.columns.add("Delay", sql.Int, { nullable: false });
    table.columns.add("Distance", sql.Int, { nullable: false });
    table.columns.add("Origin", sql.NVarChar(8), { nullable: false });
    table.columns.add("Destination", sql.NVarChar(8), { nullable: false });
    for (const flight of chunk) {
      const { id, departedAtMs, delay, distance, origin, destination } = flight;
      table.rows.add(id, new Date(departedAtMs), delay, distance, origin, destination);
    }
    await pool.request().bulk(table);
    filled += chunk.length;
    onRows(filled);
    signal.throwIfAborted();
  }
  await pool.request().batch(exactSql(readExactRows(), schema));
}

async function* inThousands<T>(chunks: AsyncIterable<T[]>, thousands: number): AsyncGenerator<T[]> {
  let held: T[] = [];
  for await (const chunk of chunks) {
    held.push(...chunk);
    if (held.length >= thousands * 1000) {
      yield held;
      held = [];
    }
  }
  if (held.length > 0) yield held;
}
