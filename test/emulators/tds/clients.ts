/** For tests: the emulator with a certificate, and real clients of it. */
import { Connection, type ConnectionConfiguration, Request } from "tedious";
import { makeAuthority } from "../tls/certificates.ts";
import { startTds, type Tds, type TdsOptions } from "./start.ts";

export const ADMIN = { name: "sa", password: "Pässwörd-1" } as const;
export const READER = { name: "reader", password: "Reader-1", rights: { select: ["dbo.Flights", "hr"] } };

export async function startServer(options: Partial<TdsOptions> = {}): Promise<Tds & { readonly ca: string }> {
  const authority = await makeAuthority();
  const tls = await authority.issue({ names: ["localhost"], addresses: ["127.0.0.1"] });
  const tds = await startTds({ tls, logins: [ADMIN, READER], databases: ["ERP"], ...options });
  return { ...tds, ca: authority.caPem };
}

interface As {
  readonly login?: { readonly name: string; readonly password: string };
  readonly options?: ConnectionConfiguration["options"];
}

/** A tedious connection whose certificate is checked. Rejects as tedious does. */
export function connect(tds: { readonly port: number; readonly ca: string }, as: As = {}): Promise<Connection> {
  const { name, password } = as.login ?? ADMIN;
  const connection = new Connection({
    server: "localhost",
    authentication: { type: "default", options: { userName: name, password } },
    options: {
      port: tds.port,
      database: "ERP",
      encrypt: true,
      cryptoCredentialsDetails: { ca: tds.ca },
      requestTimeout: 0,
      useUTC: true,
      rowCollectionOnRequestCompletion: false,
      ...as.options,
    },
  });
  const { promise, resolve, reject } = Promise.withResolvers<Connection>();
  connection.connect((error) => (error ? reject(error) : resolve(connection)));
  connection.on("error", () => connection.close());
  return promise;
}

export type Parameter = readonly [
  name: string,
  type: Parameters<Request["addParameter"]>[1],
  value: unknown,
  options?: object,
];

interface Column {
  readonly value: unknown;
  readonly metadata: { readonly colName: string };
}

/** Rows as arrays. Without parameters a SQL batch is sent, with them sp_executesql. Rejects with the server's error. */
export function ask(connection: Connection, text: string, parameters?: readonly Parameter[]): Promise<unknown[][]> {
  const rows: unknown[][] = [];
  const { promise, resolve, reject } = Promise.withResolvers<unknown[][]>();
  const request = new Request(text, (error) => (error ? reject(error) : resolve(rows)));
  for (const [name, type, value, options] of parameters ?? []) request.addParameter(name, type, value, options);
  request.on("row", (columns: Column[]) => void rows.push(columns.map((column) => column.value)));
  if (parameters === undefined) connection.execSqlBatch(request);
  else connection.execSql(request);
  return promise;
}

/** The number of the error with which the promise is rejected. */
export async function errorNumber(promise: Promise<unknown>): Promise<number | undefined> {
  try {
    await promise;
  } catch (error) {
    return (error as { number?: number }).number;
  }
  return undefined;
}
