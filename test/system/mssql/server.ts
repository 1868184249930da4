/**
 * The SQL Server that the conformance suite talks to: the emulator over TLS, or the one that `SALLYPORT_TEST_MSSQL` names.
 * There it works in a schema of its own, as a login of its own where it may make one, and takes both away again.
 */
import { randomBytes } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import type { Target } from "@sallyport/agent/src/connectors/connector.ts";
import { Connection, Request } from "tedious";
import { startTds } from "../../emulators/tds/start.ts";
import { makeAuthority } from "../../emulators/tls/certificates.ts";
import type { RealAddress } from "../../stack/real-address.ts";
import { authorities } from "../../stack/real-server.ts";

/** What not every server or login can do. */
export const ABILITIES = {
  reader: "the login may make no login that reads only",
  snapshot: "the database does not allow SNAPSHOT (ALTER DATABASE … SET ALLOW_SNAPSHOT_ISOLATION ON)",
  changeTracking: "Change Tracking is not on for the database (ALTER DATABASE … SET CHANGE_TRACKING = ON)",
  cdc: "Change Data Capture is not on for the database (EXEC sys.sp_cdc_enable_db), or the login may not capture a table",
  state: "the reader may not be granted VIEW DATABASE STATE",
} as const;
export type Ability = keyof typeof ABILITIES;

type Row = Readonly<Record<string, unknown>>;

export interface Server {
  readonly what: string;
  readonly schema: string;
  /** As the agent would sign in. */
  readonly target: Target;
  readonly abilities: ReadonlySet<Ability>;
  /** Runs a batch as whoever was given. @throws what tedious gives */
  run(sql: string): Promise<Row[]>;
  /** Another session of the same login, for a transaction that stays open. */
  other(): Promise<{ run(sql: string): Promise<Row[]>; close(): void }>;
  close(): Promise<void>;
}

interface Place {
  readonly what: string;
  readonly address: RealAddress;
  readonly ca: string;
  close(): Promise<void>;
}

const ADMIN = { name: "sa", password: "Administrator-1" };

/** The emulator, with all that it can switch on. */
async function emulator(): Promise<Place> {
  const authority = await makeAuthority();
  const tls = await authority.issue({ names: ["localhost"], addresses: ["127.0.0.1"] });
  const tds = await startTds({ tls, logins: [ADMIN], databases: ["Conformance"] });
  await tds.sql("ALTER DATABASE CURRENT SET CHANGE_TRACKING = ON; EXEC sys.sp_cdc_enable_db");
  const { name: user, password } = ADMIN;
  return {
    what: "the emulator of test/emulators/tds",
    address: {
      ...{ host: "localhost", port: tds.port, database: "Conformance", user, password },
      ...{ encrypt: "true", trustServerCertificate: false },
    },
    ca: authority.caPem,
    close: () => tds.close(),
  };
}

const given = (address: RealAddress): Place => ({
  what: `${address.host}:${address.port}/${address.database}`,
  address,
  ca: authorities(),
  close: async () => undefined,
});

/** @throws where it cannot be reached, or no schema can be made; then nothing is left there. */
export async function openServer(address: RealAddress | undefined): Promise<Server> {
  const place = address === undefined ? await emulator() : given(address);
  const admin = await session(place);
  const schema = `sallyport_test_${randomBytes(4).toString("hex")}`;
  const login = { user: `${schema}_reader`, password: `Aa1!${randomBytes(24).toString("base64url")}` };
  let reader: typeof login | undefined;
  const close = async (): Promise<void> => {
    try {
      await dropAll(admin.run, schema, reader?.user);
    } finally {
      admin.close();
      await place.close();
    }
  };
  try {
    await admin.run(`CREATE SCHEMA [${schema}]`);
    reader = await makeReader(admin.run, schema, login);
    const abilities = await abilitiesOf(admin.run, schema, reader?.user);
    const { host, port, database, user, password, trustServerCertificate, encrypt } = place.address;
    const target: Target = {
      ...{ connection: "test", host, port, database, requestId: randomBytes(16).toString("hex") },
      tls: trustServerCertificate
        ? { mode: "trustAnyCertificate" }
        : { mode: encrypt === "strict" ? "strict" : "required", caPem: place.ca },
      credential: { ...(reader ?? { user, password }), signIn: "sql" },
      refuseOverPrivileged: reader !== undefined,
    };
    return { what: place.what, schema, target, abilities, run: admin.run, other: () => session(place), close };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

async function session({ address, ca }: Place): Promise<{ run(sql: string): Promise<Row[]>; close(): void }> {
  const connection = new Connection({
    server: address.host,
    authentication: { type: "default", options: { userName: address.user, password: address.password } },
    options: {
      ...{ port: address.port, database: address.database, requestTimeout: 120_000, appName: "sallyport conformance" },
      encrypt: address.encrypt === "strict" ? "strict" : true,
      trustServerCertificate: address.trustServerCertificate,
      cryptoCredentialsDetails: { ca },
    },
  });
  connection.on("error", () => undefined);
  await new Promise<void>((resolve, reject) => connection.connect((error) => (error ? reject(error) : resolve())));
  const run = (sql: string): Promise<Row[]> =>
    new Promise((resolve, reject) => {
      const rows: Row[] = [];
      const request = new Request(sql, (error) => (error ? reject(error) : resolve(rows)));
      request.on("row", (columns: { metadata: { colName: string }; value: unknown }[]) => {
        rows.push(Object.fromEntries(columns.map(({ metadata, value }) => [metadata.colName, value])));
      });
      connection.execSqlBatch(request);
    });
  return { run, close: () => connection.close() };
}

type Run = Server["run"];

async function tried(run: Run, ...statements: string[]): Promise<boolean> {
  try {
    for (const statement of statements) await run(statement);
    return true;
  } catch {
    return false;
  }
}

async function makeReader(run: Run, schema: string, login: { user: string; password: string }) {
  const { user, password } = login;
  if (!(await tried(run, `CREATE LOGIN [${user}] WITH PASSWORD = N'${password}'`))) return undefined;
  const made = await tried(
    run,
    `CREATE USER [${user}] FOR LOGIN [${user}]`,
    `GRANT SELECT ON SCHEMA::[${schema}] TO [${user}]`,
    `GRANT VIEW CHANGE TRACKING ON SCHEMA::[${schema}] TO [${user}]`,
  );
  if (made) return login;
  await tried(run, `DROP USER [${user}]`, `DROP LOGIN [${user}]`);
  return undefined;
}

async function abilitiesOf(run: Run, schema: string, reader: string | undefined): Promise<Set<Ability>> {
  const [state] = await run(`SELECT snapshot_isolation_state AS snapshots, is_cdc_enabled AS cdc,
(SELECT COUNT(*) FROM sys.change_tracking_databases WHERE database_id = DB_ID()) AS tracked
FROM sys.databases WHERE database_id = DB_ID()`);
  const abilities = new Set<Ability>();
  if (reader !== undefined) abilities.add("reader");
  if (Number(state?.snapshots) === 1) abilities.add("snapshot");
  if (Number(state?.tracked) > 0) abilities.add("changeTracking");
  if (state?.cdc === true && (await mayCapture(run, schema, reader))) abilities.add("cdc");
  if (reader === undefined || (await tried(run, `GRANT VIEW DATABASE STATE TO [${reader}]`))) abilities.add("state");
  return abilities;
}

/** Tries it: a table is captured, and seen by the reader. */
async function mayCapture(run: Run, schema: string, reader: string | undefined): Promise<boolean> {
  const made = await tried(
    run,
    `CREATE TABLE [${schema}].[Probe] ([Id] int NOT NULL PRIMARY KEY)`,
    `EXEC sys.sp_cdc_enable_table @source_schema = N'${schema}', @source_name = N'Probe', @role_name = NULL`,
    ...(reader === undefined ? [] : [`GRANT SELECT ON SCHEMA::[cdc] TO [${reader}]`]),
  );
  return made;
}

const DROP_TRIES = 40;
const DROP_PAUSE_MS = 250;

/** What is still in the schema, then the schema, the user and the login. @throws where something is left. */
async function dropAll(run: Run, schema: string, reader: string | undefined): Promise<void> {
  const within = `FROM sys.objects o JOIN sys.schemas s ON s.schema_id = o.schema_id WHERE s.name = N'${schema}'`;
  const [cdc] = await run("SELECT is_cdc_enabled AS enabled FROM sys.databases WHERE database_id = DB_ID()");
  if (cdc?.enabled === true) {
    const captured = await run(
      `SELECT o.name AS name, c.capture_instance AS instance FROM cdc.change_tables c JOIN sys.objects o ON o.object_id = c.source_object_id
JOIN sys.schemas s ON s.schema_id = o.schema_id WHERE s.name = N'${schema}'`,
    );
    for (const { name, instance } of captured) {
      await run(
        `EXEC sys.sp_cdc_disable_table @source_schema = N'${schema}', @source_name = N'${name}', @capture_instance = N'${instance}'`,
      );
    }
  }
  for (const { name } of await run(`SELECT o.name AS name ${within} AND o.type = 'V'`)) {
    await run(`DROP VIEW [${schema}].[${name}]`);
  }
  for (const { name } of await run(`SELECT o.name AS name ${within} AND o.type = 'U'`)) {
    await run(`DROP TABLE [${schema}].[${name}]`);
  }
  await run(`DROP SCHEMA [${schema}]`);
  if (reader === undefined) return;
  await run(`DROP USER [${reader}]`);
  // The server has yet to see that the last session was closed.
  for (let tries = 1; !(await tried(run, `DROP LOGIN [${reader}]`)); tries++) {
    if (tries === DROP_TRIES) throw new Error(`The login ${reader} could not be dropped: DROP LOGIN [${reader}]`);
    await pause(DROP_PAUSE_MS);
  }
}
