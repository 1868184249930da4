/**
 * The whole system on one machine: emulators where Azure and the customer's server would be, the real function app, and an
 * agent that enrols as a customer's would. What `npm start` and the end-to-end tests run.
 */
import { randomBytes } from "node:crypto";
import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Azurite, startAzurite } from "../emulators/azurite/start.ts";
import { type FunctionsHost, startFunctionsHost } from "../emulators/functions-host/start.ts";
import { type Relay, startRelay } from "../emulators/relay/start.ts";
import { makeTokenChecks } from "../emulators/relay/token-checks.ts";
import { type ServiceBus, type ServiceBusOptions, startServiceBus } from "../emulators/servicebus/start.ts";
import { makeAuthority } from "../emulators/tls/certificates.ts";
import { type RunningAgent, startAgent } from "./agent.ts";
import { type Api, connectApi } from "./api.ts";
import { appSettings, type Identity, makeIdentity, prepareStorage, QUEUE_CONFIG, rolesOf } from "./app.ts";
import type { Cleanup } from "./cleanup.ts";
import { DIRECTORY_CONNECTION, type SampleDirectory, startDirectory } from "./directory.ts";
import { type Program, SOURCES } from "./program.ts";
import type { SampleServer } from "./sample.ts";
import type { Source } from "./source.ts";
import { type SqlServer, type SqlServerOptions, startSqlServer } from "./sql-server.ts";

export const TENANT = "contoso";
export const SITE = "oslo";
export const CONNECTION = "erp";
/** The login that pulls use; it may only read. */
export const READER = "svc_sallyport";

/** A stack around whatever holds the sample. */
export interface StackOn {
  readonly folder: string;
  /** Rejects when one of its processes ends, whether it was asked to or not; for races with what it should have done. */
  readonly broken: Promise<never>;
  readonly api: Api;
  /** The function app's host, for who wants it to end before the rest. */
  readonly app: Pick<FunctionsHost, "close">;
  readonly origin: string;
  readonly caPem: string;
  /** A file with what a person needs to call the API: origin, first key, authority. */
  readonly access: string;
  readonly relay: Relay;
  /** Where doorbells ring: queue `slices`. */
  readonly queue: ServiceBus;
  /** Where results go: container `sallyport`. */
  readonly storage: Azurite;
  readonly agent: RunningAgent;
  /** Where the sample is, and how the agent gets at it. */
  readonly source: Source;
  /** A second connection of the site, where there was to be one. */
  readonly directory: SampleDirectory | undefined;
  /** Enrols and starts a further agent of the site, under another name. */
  addAgent(name: string, policy?: string): Promise<RunningAgent>;
}

/** Services that take an identity's tokens over TLS, in place of keys, and whatever else such an app has. */
export interface Reach {
  readonly identity: Identity & { readonly clientId: string };
  /** Whether the queue takes this token. */
  queueToken(jwt: string): boolean;
  /** All settings of the app, and where agents find it. */
  prepare(found: Found): Promise<Reached>;
}

export interface Found {
  readonly tls: { readonly key: string; readonly cert: string };
  readonly caFile: string;
  readonly adminKey: string;
  readonly storage: Azurite;
  readonly queue: ServiceBus;
  readonly relay: Relay & { readonly listenKey: string };
  readonly cleanup: Cleanup;
}

export interface Reached {
  readonly env: Readonly<Record<string, string>>;
  /** The origin that agents pin. The app is behind it once it is `opened`. */
  readonly origin: string;
  opened(appUrl: string): void;
}

/** A stack with the emulator for a SQL Server. */
export interface Stack extends StackOn {
  readonly sqlServer: SqlServer;
}

export interface StackOptions {
  readonly folder: string;
  readonly cleanup: Cleanup;
  /** What agent and function app are run from; the sources by default. */
  readonly program?: Program;
  /** Settings of the function app beside those that say where things are. */
  readonly settings?: Readonly<Record<string, string>>;
  readonly onStep?: (step: string) => void;
  /** How the function app gets at its services; by connection strings and files otherwise. */
  readonly reach?: Reach;
  /** So many people of a small directory, which is the site's second connection; none without. */
  readonly people?: number;
  /** The agent's policy; by default what the samples need. */
  readonly policy?: (server: SampleServer, caFile: string) => string;
}

/** Starts everything and resolves when the agent listens. What was started is in `cleanup`, also when this throws. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const { folder, cleanup } = options;
  const logFile = join(folder, "logs/sql-server.log");
  const { stack, source } = await startAround(options, (certificates) =>
    cleanup.starting(startSqlServer({ ...certificates, reader: READER, logFile }, cleanup.signal), (it) => it.close()),
  );
  const broken = Promise.race([stack.broken, source.ended]);
  broken.catch(() => undefined);
  return { ...stack, broken, sqlServer: source };
}

/** The same around a SQL Server that is there, and stays. */
export const startStackOn = async (source: Source, options: StackOptions): Promise<StackOn> =>
  (await startAround(options, async () => source)).stack;

type Certificates = Pick<SqlServerOptions, "tls" | "ca" | "caFile">;

async function startAround<S extends Source>(
  options: StackOptions,
  startSource: (certificates: Certificates) => Promise<S>,
): Promise<{ stack: StackOn; source: S }> {
  const { folder, cleanup, reach, program = SOURCES, onStep = () => undefined } = options;
  const { signal } = cleanup;
  const inFolder = (name: string) => join(folder, name);
  mkdirSync(inFolder("logs"), { recursive: true });
  const authority = await makeAuthority();
  const tls = await authority.issue({ names: ["localhost"], addresses: ["127.0.0.1"] });
  const caFile = inFolder("ca.pem");
  writeFileSync(caFile, authority.caPem);

  onStep("emulators");
  const identity = reach?.identity ?? makeIdentity();
  const secure = reach === undefined ? {} : { tls };
  const [storage, queue, relay, source] = await Promise.all([
    cleanup.starting(startAzurite({ folder: inFolder("storage"), ...secure }, signal), (it) => it.close()),
    cleanup.starting(startQueue({ ...secure, entraToken: reach?.queueToken }), (it) => it.close()),
    cleanup.starting(startNamespace(tls, identity), (it) => it.stop()),
    startSource({ tls, ca: authority.caPem, caFile }),
  ]);
  signal.throwIfAborted();
  const adminKey = `sp_admin_${randomBytes(32).toString("base64url")}`;
  const reached = await reach?.prepare({ tls, caFile, adminKey, storage, queue, relay, cleanup });
  await prepareStorage(storage.connectionString);

  onStep("function app");
  const namespace = `localhost:${relay.controlPort}`;
  const host = await cleanup.starting(
    startFunctionsHost(
      {
        app: program.app,
        tls,
        identity,
        env: {
          ...(reached?.env ??
            (await appSettings(folder, {
              caFile,
              adminKey,
              storage: storage.connectionString,
              queue: queue.connectionString,
              dialAt: namespace,
              listenAt: namespace,
              listenKey: relay.listenKey,
            }))),
          ...options.settings,
        },
        onLine: (line) => appendFileSync(inFolder("logs/function-app.log"), `${line}\n`, { mode: 0o600 }),
      },
      signal,
    ),
    (it) => it.close(),
  );
  reached?.opened(host.url);
  const origin = reached?.origin ?? host.url;

  signal.throwIfAborted();
  onStep("agent");
  const api = connectApi(origin, adminKey, authority.caPem);
  await api.post("/tenants", { id: TENANT, name: "Contoso" });
  await api.post(`/tenants/${TENANT}/sites`, { id: SITE, name: "Oslo" });
  const directory =
    options.people === undefined
      ? undefined
      : await cleanup.starting(startDirectory(tls, caFile, options.people), (it) => it.close());
  const policy = options.policy?.(source.server, caFile) ?? samplePolicy(source) + (directory?.entry ?? "");
  const addAgent = async (name: string, itsPolicy = policy): Promise<RunningAgent> => {
    const { code } = await api.post<{ code: string }>(`/tenants/${TENANT}/sites/${SITE}/codes`, { autoApprove: true });
    const agent = await startAgent(
      {
        stateDir: inFolder(name),
        origin,
        code,
        caFile,
        rendezvousHost: `localhost:${relay.rendezvousPort}`,
        policy: itsPolicy,
        logFile: inFolder(`logs/${name}.log`),
        program,
      },
      signal,
    );
    cleanup.add(agent, (it) => it.close());
    await Promise.race([relay.listening(`a-${agent.id}`, signal), agent.ended]);
    return agent;
  };
  const agent = await addAgent("agent");
  await api.post(`/tenants/${TENANT}/connections`, { id: CONNECTION, site: SITE, kind: "mssql" });
  await api.put(`/tenants/${TENANT}/connections/${CONNECTION}/credential`, source.reader);
  if (directory !== undefined) {
    await api.post(`/tenants/${TENANT}/connections`, { id: DIRECTORY_CONNECTION, site: SITE, kind: "activeDirectory" });
    await api.put(`/tenants/${TENANT}/connections/${DIRECTORY_CONNECTION}/credential`, directory.credential);
  }
  const access = inFolder("access.json");
  writeFileSync(access, JSON.stringify({ origin, adminKey, caFile }, null, 2), { mode: 0o600 });
  writeFileSync(inFolder("admin.key"), `${adminKey}\n`, { mode: 0o600 });
  const hostEnded = host.exited.then(() => Promise.reject(new Error("the function app ended; see its log")));
  const broken = Promise.race([agent.ended, hostEnded]);
  broken.catch(() => undefined); // reported where it is awaited, and expected at the end
  const stack = {
    folder,
    broken,
    api,
    app: host,
    origin,
    caPem: authority.caPem,
    access,
    relay,
    queue,
    storage,
    agent,
    source,
    directory,
    addAgent,
  };
  return { stack, source };
}

/** What the owner of the sample's site allows: its two tables, read only. */
export const samplePolicy = ({ server, schema, reader, tls, ownReader = true }: Source): string => `v: 1
connections:
  ${CONNECTION}:
    kind: mssql
    address: ${server.host}:${server.port}
    database: ${JSON.stringify(server.database)}
    tls: ${JSON.stringify(tls)}
    logins: [${JSON.stringify(reader.user)}]
    refuseOverPrivileged: ${ownReader}
    rules:
      - id: sample
        allow: [table, changes, schema]
        tables: [${schema}.Flights, ${schema}.Exact]
        columns: "*"
`;

const startQueue = (options: Pick<ServiceBusOptions, "entraToken" | "tls">): Promise<ServiceBus> =>
  startServiceBus({
    config: QUEUE_CONFIG,
    keys: [{ name: "app", key: randomBytes(32).toString("base64") }],
    ...options,
  });

async function startNamespace(
  tls: { key: string; cert: string },
  identity: Identity,
): Promise<Relay & { listenKey: string }> {
  const listenKey = randomBytes(32).toString("base64");
  const relay = await startRelay({
    tls,
    ...(await makeTokenChecks(rolesOf(identity))),
    namespaceRules: [{ name: "listen", primaryKey: listenKey, rights: ["Listen"] }],
    entities: [],
  });
  return { ...relay, listenKey };
}
