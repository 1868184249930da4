/**
 * Somebody's SQL Server instead of the emulator: a schema of our own with the sample's tables, and a login that reads just
 * that where we may make one. All of it goes again at the end, and nothing else there is touched.
 */
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { getCACertificates } from "node:tls";
import { connectError, type ServerMessage, serverError } from "@sallyport/agent/src/connectors/mssql/errors.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import sql from "mssql";
import type { RealAddress } from "./real-address.ts";
import { connectionConfig, type SampleServer } from "./sample.ts";
import type { Source } from "./source.ts";

export const DEMO_SCHEMA = "sallyport_demo";

export interface RealSource extends Source {
  /** False where the given login reads too, because it may make no other. */
  readonly ownReader: boolean;
  /** Drops what was made. @throws SallyportError with the SQL for what could not be dropped */
  close(): Promise<void>;
}

/** SQL Server has not yet seen that the agent's last session was closed. */
const STILL_LOGGED_IN = 15_434;
const DROP_TRIES = 40;
const DROP_PAUSE_MS = 250;

const DROP_SCHEMA = [
  `DROP TABLE IF EXISTS [${DEMO_SCHEMA}].[Flights]`,
  `DROP TABLE IF EXISTS [${DEMO_SCHEMA}].[Exact]`,
  `DROP SCHEMA [${DEMO_SCHEMA}]`,
];

/**
 * Makes the schema and the login. Leaves nothing behind when it throws.
 * @param caFile written: the authorities that this machine trusts, for the agent's policy
 * @throws SallyportError `connection.*`, or `sql.permission` with the SQL that grants what is missing
 */
export async function openRealServer(address: RealAddress, caFile: string): Promise<RealSource> {
  const { user, password, trustServerCertificate, encrypt, ...place } = address;
  const ca = authorities();
  const trust = trustServerCertificate ? { trustAnyCertificate: true } : {};
  const server: SampleServer = { ...place, user, password, ca, ...trust, ...(encrypt === "strict" ? { encrypt } : {}) };
  if (!trustServerCertificate) writeFileSync(caFile, ca);
  const mode = trustServerCertificate ? "trustAnyCertificate" : encrypt === "strict" ? "strict" : "required";
  /** What takes back what was made, in the order in which it is to run. */
  const drops: string[] = [];
  const close = () => dropAll(server, drops);
  try {
    const reader = await onServer(server, async (run) => {
      await makeSchema(run, server, drops);
      return makeReader(run, server, drops);
    });
    return {
      server,
      schema: DEMO_SCHEMA,
      reader: reader ?? { user, password },
      ownReader: reader !== undefined,
      tls: trustServerCertificate ? { mode } : { mode, ca: caFile },
      close,
    };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

type Run = (statement: string) => Promise<readonly Record<string, unknown>[]>;

async function makeSchema(run: Run, { database }: SampleServer, drops: string[]): Promise<void> {
  const [found] = await run(`SELECT SCHEMA_ID(N'${DEMO_SCHEMA}') AS id, USER_NAME() AS name`);
  if (found?.id !== null) {
    const message = `The schema ${DEMO_SCHEMA} exists in ${database}, and is not ours to use. If an earlier start left it there:\n${script(database, DROP_SCHEMA)}`;
    throw new SallyportError("request.invalid", message);
  }
  const probe = `[${DEMO_SCHEMA}].[Exact]`;
  try {
    await run(`CREATE SCHEMA [${DEMO_SCHEMA}]`);
    drops.push(...DROP_SCHEMA);
    await run(`CREATE TABLE ${probe} ([Id] int NOT NULL)`);
    await run(`DROP TABLE ${probe}`);
  } catch (thrown) {
    const error = refusal(thrown);
    if (error.code !== "sql.permission") throw error;
    const to = quoted(String(found?.name));
    const grants = [`GRANT CREATE SCHEMA TO ${to}`, `GRANT CREATE TABLE TO ${to}`];
    const message = `The login may not make the schema ${DEMO_SCHEMA} in ${database}. Somebody with the right can run:\n${script(database, grants)}`;
    throw new SallyportError("sql.permission", message, error.detail, thrown);
  }
}

/** A login that reads the schema and nothing else; undefined where the server lets us make none. */
async function makeReader(run: Run, server: SampleServer, drops: string[]): Promise<Source["reader"] | undefined> {
  const user = `${DEMO_SCHEMA}_${randomBytes(4).toString("hex")}`;
  // The ends satisfy servers that want several kinds of characters.
  const password = `Aa1!${randomBytes(24).toString("base64url")}`;
  const before = drops.length;
  try {
    await run(`CREATE LOGIN [${user}] WITH PASSWORD = N'${password}'`);
    drops.unshift(`DROP LOGIN [${user}]`);
    await run(`CREATE USER [${user}] FOR LOGIN [${user}]`);
    drops.unshift(`DROP USER [${user}]`);
    await run(`GRANT SELECT ON SCHEMA::[${DEMO_SCHEMA}] TO [${user}]`);
    await onServer({ ...server, user, password }, (asReader) => asReader("SELECT 1 AS one"));
    return { user, password };
  } catch {
    await dropAll(server, drops.splice(0, drops.length - before));
    return undefined;
  }
}

/** Runs what it can of the statements, each once it goes, and says what is left to do. */
async function dropAll(server: SampleServer, drops: string[]): Promise<void> {
  if (drops.length === 0) return;
  const left: string[] = [];
  try {
    await onServer(server, async (run) => {
      for (let drop = drops.shift(); drop !== undefined; drop = drops.shift()) {
        if (!(await dropped(run, drop))) left.push(drop);
      }
    });
  } catch {
    left.push(...drops.splice(0));
  }
  if (left.length === 0) return;
  throw new SallyportError(
    "sql.failed",
    `Not everything in ${server.database} could be dropped. What is left goes with:\n${script(server.database, left)}`,
  );
}

async function dropped(run: Run, drop: string): Promise<boolean> {
  for (let tries = 1; ; tries++) {
    try {
      await run(drop);
      return true;
    } catch (thrown) {
      const waits = thrown instanceof sql.RequestError && thrown.number === STILL_LOGGED_IN && tries < DROP_TRIES;
      if (!waits) return false;
      await pause(DROP_PAUSE_MS);
    }
  }
}

async function onServer<T>(server: SampleServer, act: (run: Run) => Promise<T>): Promise<T> {
  const pool = new sql.ConnectionPool(connectionConfig(server));
  // A connection that breaks while nothing runs is noticed by the next statement.
  pool.on("error", () => undefined);
  try {
    await pool.connect();
  } catch (thrown) {
    throw connectError(thrown instanceof sql.ConnectionError ? thrown.originalError : thrown, []);
  }
  try {
    return await act(async (statement) => (await pool.request().batch(statement)).recordset ?? []);
  } finally {
    await pool.close();
  }
}

/** The server's own text stays here: it may quote what it was told. */
function refusal(thrown: unknown): SallyportError {
  if (!(thrown instanceof sql.RequestError)) return connectError(thrown, []);
  const { precedingErrors = [] } = thrown as { precedingErrors?: readonly ServerMessage[] };
  return serverError([...precedingErrors, thrown as unknown as ServerMessage]) ?? connectError(thrown, []);
}

const quoted = (name: string): string => `[${name.replaceAll("]", "]]")}]`;

const script = (database: string, statements: readonly string[]): string =>
  [`USE ${quoted(database)}`, ...statements].map((statement) => `  ${statement};`).join("\n");

/** Node's own, the system's, and those of NODE_EXTRA_CA_CERTS. */
export const authorities = (): string =>
  [...new Set([...getCACertificates("default"), ...getCACertificates("system")])].join("\n");
