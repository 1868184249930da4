/** For tests: an emulated SQL Server over TLS, filled by an administrator, read by the connector. */
import { DEFAULT_LIMITS, type Limits, type Operation } from "@sallyport/shared/schema/operations.ts";
import { Connection, Request } from "tedious";
import { startTds } from "../../../../test/emulators/tds/start.ts";
import { type Authority, makeAuthority } from "../../../../test/emulators/tls/certificates.ts";
import type { Connector, Grant, Outcome, Target } from "../connector.ts";
import { createMssqlConnector } from "./index.ts";
import type { Recorder } from "./test-output.ts";

export const REQUEST_ID = "rq_0123456789abcdef";
const ADMIN = { name: "sa", password: "Administrator-1" };
const READER = { name: "svc_sallyport", password: "Reader-1" };

export interface TestServer {
  readonly target: Target;
  /** What an administrator would sign in with. */
  readonly administrator: Target["credential"];
  readonly authority: Authority;
  readonly server: Awaited<ReturnType<typeof startTds>>;
  /** Runs a batch as administrator. */
  admin(sql: string): Promise<void>;
  /** Bulk-loads rows into a table. */
  fill(table: string, columns: readonly BulkColumn[], rows: Iterable<readonly unknown[]>): Promise<void>;
  /** Runs batches in a session of its own, so that a transaction can stay open. */
  readonly writer: { run(sql: string): Promise<void> };
  close(): Promise<void>;
}
type BulkLoad = ReturnType<Connection["newBulkLoad"]>;
export type BulkColumn = Parameters<BulkLoad["addColumn"]>;

export async function startTestServer(
  options: { readonly engineEdition?: number; readonly isReplica?: boolean } = {},
): Promise<TestServer> {
  const authority = await makeAuthority();
  const tls = await authority.issue({ names: ["localhost"], addresses: ["127.0.0.1"] });
  const server = await startTds({
    port: 0,
    tls,
    logins: [
      { ...ADMIN, rights: "sysadmin" },
      { ...READER, rights: "read" },
    ],
    databases: ["ERP"],
    ...options,
  });
  const target: Target = {
    connection: "erp",
    host: "localhost",
    port: server.port,
    database: "ERP",
    tls: { mode: "required", caPem: authority.caPem },
    credential: { user: READER.name, password: READER.password, signIn: "sql" },
    refuseOverPrivileged: true,
    requestId: REQUEST_ID,
  };
  const connection = await openAdmin(server.port, authority.caPem);
  return {
    target,
    administrator: { user: ADMIN.name, password: ADMIN.password, signIn: "sql" },
    authority,
    server,
    admin: (sql) => server.sql(sql).then(() => undefined),
    fill: (table, columns, rows) =>
      new Promise((resolve, reject) => {
        const load = connection.newBulkLoad(table, (error) => (error ? reject(error) : resolve()));
        for (const column of columns) load.addColumn(...column);
        connection.execBulkLoad(load, rows as Iterable<unknown[]>);
      }),
    writer: {
      run: (sql) =>
        new Promise((resolve, reject) => {
          connection.execSqlBatch(new Request(sql, (error) => (error ? reject(error) : resolve())));
        }),
    },
    async close() {
      connection.close();
      await server.close();
    },
  };
}

function openAdmin(port: number, ca: string): Promise<Connection> {
  const connection = new Connection({
    server: "localhost",
    authentication: { type: "default", options: { userName: ADMIN.name, password: ADMIN.password } },
    options: { port, database: "ERP", encrypt: true, cryptoCredentialsDetails: { ca }, requestTimeout: 0 },
  });
  return new Promise((resolve, reject) => {
    connection.connect((error) => (error ? reject(error) : resolve(connection)));
  });
}

export const GRANT: Grant = { kind: "table", rule: "r", columns: "*" };
export const LIMITS: Limits = DEFAULT_LIMITS;

export interface Asked {
  readonly operation?: Partial<Extract<Operation, { op: "sql.table" }>>;
  readonly grant?: Grant;
  readonly limits?: Partial<Limits>;
  readonly target?: Partial<Target>;
  readonly signal?: AbortSignal;
  readonly pace?: Parameters<typeof createMssqlConnector>[0];
}

/** Reads a table of the server into the recorder. */
export function readTable(server: TestServer, table: string, output: Recorder, asked: Asked = {}): Promise<Outcome> {
  return serve(server, { op: "sql.table", table, columns: "*", watermark: "none", ...asked.operation }, output, asked);
}

/** One session of any operation. */
export function serve(
  server: TestServer,
  operation: Operation,
  output: Recorder,
  asked: Omit<Asked, "operation"> = {},
): Promise<Outcome> {
  const connector: Connector = createMssqlConnector(asked.pace);
  return connector(
    { ...server.target, ...asked.target },
    operation,
    asked.grant ?? GRANT,
    { ...LIMITS, ...asked.limits },
    output,
    asked.signal ?? new AbortController().signal,
  );
}

/** Runs a statement or raw SQL on the server into the recorder. */
export function runQuery(
  server: TestServer,
  grant: Grant,
  parameters: Extract<Operation, { op: "sql.query" }>["parameters"],
  output: Recorder,
  raw?: string,
): Promise<Outcome> {
  const operation: Operation = { op: "sql.query", parameters, ...(raw === undefined ? { statement: "s" } : { raw }) };
  return createMssqlConnector()(server.target, operation, grant, LIMITS, output, new AbortController().signal);
}
