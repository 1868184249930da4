/**
 * One whole system of its own: storage, queue, relay, agent and function host, with the host behind proxies, and a pull of a
 * table that changes. Several lanes work at the same time, so that one waits for a lease while another works.
 */
import { randomBytes } from "node:crypto";
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openStore, type Store } from "@sallyport/cloud/src/store/open.ts";
import type { PullKey } from "@sallyport/cloud/src/store/runs.ts";
import { startAzurite } from "../../emulators/azurite/start.ts";
import type { FunctionsHostOptions } from "../../emulators/functions-host/start.ts";
import { startTds, type Tds } from "../../emulators/tds/start.ts";
import { makeAuthority } from "../../emulators/tls/certificates.ts";
import { runAgent, startAgent } from "../../stack/agent.ts";
import { connectApi } from "../../stack/api.ts";
import { appSettings, makeIdentity, prepareStorage, rolesOf, tableClient } from "../../stack/app.ts";
import type { Cleanup } from "../../stack/cleanup.ts";
import type { Program } from "../../stack/program.ts";
import { TENANT } from "../../stack/start.ts";
import { childrenOf, until } from "../processes.ts";
import { createGate } from "./gate.ts";
import { type Host, openProxies, startHost } from "./host.ts";
import { createOrders, type Orders, TABLE } from "./orders.ts";
import { type Part, restartable, startQueue, startRelay } from "./parts.ts";
import type { OnReply } from "./proxies/http.ts";
import type { Random } from "./random.ts";

export const LOGIN = "svc_crash";
const SITE = "oslo";
const PULL = "orders";
const DATABASE = "ERP";

export type Victim = "host" | "executor" | "supervisor" | "relay" | "queue";

export interface Lane {
  readonly name: string;
  readonly folder: string;
  readonly tds: Tds;
  readonly orders: Orders;
  readonly key: PullKey;
  /** Around the proxies. */
  readonly store: Store;
  readonly storage: string;
  readonly host: Host;
  /** SIGKILL; what runs again by itself afterwards is started again, but not waited for. */
  kill(victim: Victim): Promise<void>;
  /** Another host on the same tables and queue, behind proxies of its own. */
  addHost(onReply?: OnReply): Promise<Host>;
}

export interface LaneOptions {
  readonly name: string;
  readonly folder: string;
  readonly cleanup: Cleanup;
  readonly random: Random;
  /** What agent and function app are run from. */
  readonly program: Program;
  /** Of the pull: five-part cron. */
  readonly cron?: string;
  readonly onReply?: OnReply;
}

/** Short, so that much can happen in little time; a tick comes every second (drive.ts). */
const SETTINGS: Readonly<Record<string, string>> = {
  SALLYPORT_LEASE_SECONDS: "3",
  SALLYPORT_WAKE_LEAD_SECONDS: "1",
  SALLYPORT_CLAIM_SECONDS: "3",
  SALLYPORT_SLICE_SECONDS: "1",
  SALLYPORT_BACKOFF_SECONDS: "0.1",
  SALLYPORT_WAIT_SECONDS: "0.5",
  SALLYPORT_CLAIMS: "20",
};
const FIRST_ROWS = 300;

export async function startLane(options: LaneOptions): Promise<Lane> {
  const { name, cleanup, random, program } = options;
  const folder = join(options.folder, name);
  mkdirSync(join(folder, "logs"), { recursive: true });
  const log = (part: string) => join(folder, "logs", `${part}.log`);
  const authority = await makeAuthority();
  const tls = await authority.issue({ names: ["localhost"], addresses: ["127.0.0.1"] });
  const caFile = join(folder, "ca.pem");
  writeFileSync(caFile, authority.caPem);
  const identity = makeIdentity();
  const listenKey = randomBytes(32).toString("base64");
  const password = randomBytes(18).toString("base64url");
  const adminKey = `sp_admin_${randomBytes(32).toString("base64url")}`;
  const relayOptions = {
    tls,
    namespaceRules: [{ name: "listen", primaryKey: listenKey, rights: ["Listen"] }],
    tokens: rolesOf(identity),
  };
  let agentId = "";
  const paths = () => (agentId === "" ? [] : [`a-${agentId}`]);
  const [azurite, queue, relay] = await Promise.all([
    cleanup.starting(startAzurite({ folder: join(folder, "storage") }, cleanup.signal), (it) => it.close()),
    startQueue(join(folder, "queue.sqlite"), log("queue"), cleanup),
    startRelay(relayOptions, paths, log("relay"), cleanup),
  ]);
  const storage = azurite.connectionString;
  await prepareStorage(storage);
  const logins = [{ name: LOGIN, password, rights: "read" as const }];
  const tds = cleanup.add(await startTds({ tls, logins, databases: [DATABASE] }), (it) => it.close());
  const orders = await createOrders(tds, DATABASE, random);
  await orders.change(FIRST_ROWS, 0);

  const listenAt = `localhost:${relay.controlPort}`;
  const common = { caFile, adminKey, listenAt, listenKey };
  const services = { ...azurite, storage, queue, relayPort: relay.controlPort, tls, ca: authority.caPem };
  const settings = await appSettings(folder, {
    ...common,
    storage,
    queue: queue.connectionString,
    dialAt: listenAt,
  });

  let origin = "";
  /** Behind proxies of its own; `port` 0 for another address than the first. */
  async function hostBehindProxies(number: number, port: number, onReply?: OnReply): Promise<Host> {
    const gate = createGate();
    const proxies = cleanup.add(await openProxies(services, gate, onReply), (it) => it.close());
    const start: FunctionsHostOptions = {
      app: program.app,
      tls,
      port,
      identity,
      drainSeconds: 1,
      env: {
        ...settings,
        ...SETTINGS,
        NODE_COMPILE_CACHE: join(options.folder, "compiled"),
        SALLYPORT_ORIGIN: origin,
        SALLYPORT_TABLES: proxies.storage,
        SALLYPORT_BLOBS: proxies.storage,
        SALLYPORT_SERVICEBUS: proxies.queue,
        SALLYPORT_RELAY: proxies.dialAt,
      },
      onLine: (line) => appendFileSync(log(`host-${number}`), `${line}\n`, { mode: 0o600 }),
    };
    return cleanup.add(await startHost({ gate, ca: authority.caPem, adminKey, start }), (it) => it.close());
  }

  // The first one sets up, without proxies, and ends in order, which also leaves its compiled code for the others.
  const setUp = await startHost({
    ca: authority.caPem,
    adminKey,
    start: {
      app: program.app,
      tls,
      identity,
      env: { ...settings, NODE_COMPILE_CACHE: join(options.folder, "compiled") },
    },
  });
  let agent: Part;
  try {
    origin = setUp.origin;
    const api = connectApi(origin, adminKey, authority.caPem);
    await api.post("/tenants", { id: TENANT, name: "Contoso" });
    await api.post(`/tenants/${TENANT}/sites`, { id: SITE, name: "Oslo" });
    const { code } = await api.post<{ code: string }>(`/tenants/${TENANT}/sites/${SITE}/codes`, { autoApprove: true });
    const installed = {
      stateDir: join(folder, "agent"),
      origin,
      code,
      caFile,
      rendezvousHost: `localhost:${relay.rendezvousPort}`,
      policy: policyOf(tds.port, caFile),
      logFile: log("agent"),
      program,
    };
    agent = await restartable(async () => {
      if (agentId !== "") return runAgent(installed.stateDir, installed.logFile, program);
      const first = await startAgent(installed, cleanup.signal);
      agentId = first.id;
      return first;
    }, cleanup);
    const online = () => existsSync(log("agent")) && readFileSync(log("agent"), "utf8").includes("channel online");
    await until(`the agent of ${name} listens`, online);
    await api.post(`/tenants/${TENANT}/connections`, { id: "erp", site: SITE, kind: "mssql" });
    await api.put(`/tenants/${TENANT}/connections/erp/credential`, { user: LOGIN, password });
    await api.post(`/tenants/${TENANT}/pulls`, { id: PULL, definition: definitionOf(options.cron) });
  } finally {
    await setUp.close();
  }
  const host = await hostBehindProxies(1, Number(new URL(origin).port), options.onReply);

  return {
    name,
    folder,
    tds,
    orders,
    key: { tenant: TENANT, pull: PULL },
    store: openStore((table) => tableClient(storage, table), randomBytes),
    storage,
    host,
    addHost: (onReply) => hostBehindProxies(2, 0, onReply),
    async kill(victim) {
      switch (victim) {
        case "host":
          return host.crash();
        case "queue":
          return queue.crash();
        case "relay":
          return relay.crash();
        case "supervisor":
          return agent.crash();
        case "executor":
          for (const pid of childrenOf(agent.pid)) process.kill(pid, "SIGKILL");
          return;
        default:
          throw victim satisfies never;
      }
    },
  };
}

const definitionOf = (cron: string | undefined) => ({
  connection: "erp",
  operation: { op: "sql.table", table: TABLE, columns: "*" },
  watermark: "rowversion",
  sink: { type: "blob", format: "parquet" },
  ...(cron === undefined ? {} : { schedule: { cron, overlap: "queue" } }),
});

const policyOf = (port: number, caFile: string): string => `v: 1
limits: { sessionsPerMinute: 6000 }
connections:
  erp:
    kind: mssql
    address: localhost:${port}
    database: ${DATABASE}
    tls: { mode: required, ca: ${JSON.stringify(caFile)} }
    logins: [${LOGIN}]
    limits: { sessions: 16 }
    rules:
      - { id: orders, allow: [table], tables: [${TABLE}], columns: "*" }
`;
