/**
 * `fleet`: many agents against one function host. They are simulated in one process, with the product's code for everything
 * that goes over a wire: enrolment, tokens, control channels, canaries, requests of one row.
 */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { type Api, ApiError } from "../stack/api.ts";
import { startChild } from "../stack/children.ts";
import { type Cleanup, createCleanup } from "../stack/cleanup.ts";
import { freshFolder } from "../stack/folders.ts";
import { type Answer, answer, type Order } from "./fleet/orders.ts";
import { type Platform, startPlatform } from "./fleet/platform.ts";
import { memoryOf, peakBytes, resetPeak, timesOf } from "./processes.ts";
import type { Measured } from "./results.ts";
import { ROOT } from "./site.ts";
import type { Operations } from "./tick/operations.ts";

const AGENTS = fileURLToPath(new URL("./fleet/agents.ts", import.meta.url));
/** Sites of a tenant, and agents of a site. */
const SITES = 5;
const AGENTS_PER_SITE = 10;
/** Under way at a time: enrolments, and requests by hand. */
const AT_ONCE = 8;
/** A fifth of what Azure would have, so that a fleet's canaries come within two minutes of the benchmark. */
const CANARY_SECONDS = 60;
const REST_MS = 60_000;
const LOOK_MS = 1_000;

export interface FleetOptions {
  readonly agents: number;
  readonly say: (line: string) => void;
}

interface Phase {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly peakBytes: number;
  readonly operations: Operations;
}

export async function benchFleet({ agents: count, say }: FleetOptions): Promise<Measured[]> {
  const folder = freshFolder(ROOT, new Date(), process.pid);
  mkdirSync(folder, { recursive: true });
  const cleanup = createCleanup();
  try {
    const settings = { SALLYPORT_CANARY_SECONDS: String(CANARY_SECONDS) };
    const platform = await startPlatform(folder, settings, cleanup);
    say("the platform is up");
    return await measure(platform, join(folder, "agents"), count, cleanup, say);
  } finally {
    await cleanup.run();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function measure(
  platform: Platform,
  folder: string,
  count: number,
  cleanup: Cleanup,
  say: FleetOptions["say"],
): Promise<Measured[]> {
  const sites = await prepare(platform.api, count);
  const codes = await drawCodes(platform.api, sites, count);
  say(`${codes.length} codes for ${sites.length} sites`);
  const fleet = await startFleet(folder, cleanup);
  const phase = watching(platform, say);
  const { origin, caFile, rendezvousHost } = platform;
  const enrolled = await phase(() =>
    fleet.ask({ do: "enrol", origin, caFile, rendezvousHost, folder, codes, atOnce: AT_ONCE }),
  );
  say(`${count} agents enrolled in ${enrolled.seconds.toFixed(0)} s`);
  const listening = await phase(() => fleet.ask({ do: "listen" }));
  say(`all online after ${listening.seconds.toFixed(0)} s`);
  const renewed = await phase(() => fleet.ask({ do: "renew" }));
  say(`all have another token after ${renewed.seconds.toFixed(0)} s`);

  const before = await fleet.ask({ do: "tell" });
  let pinged = before;
  const canaries = await phase(async () => {
    for (; pinged.pinged < count; pinged = await fleet.ask({ do: "tell" })) await pause(LOOK_MS);
  });
  say(`all have answered a canary after ${canaries.seconds.toFixed(0)} s`);

  const milliseconds: number[] = [];
  const requests = await phase(() => ask(platform.api, sites, count, milliseconds));
  say(`${count} requests in ${requests.seconds.toFixed(0)} s`);
  // What has become of the agents is told in the next minute, once.
  await pause(REST_MS);
  const rested = await fleet.ask({ do: "tell" });
  const rest = await phase(() => pause(REST_MS));
  const last = await fleet.ask({ do: "tell" });
  if (last.online !== count || last.requests !== count || Object.keys(last.failed).length > 0)
    throw new Error(`the fleet is not as it should be: ${JSON.stringify({ ...last, agents: last.agents.length })}`);

  const sentCanaries = pinged.canaries - before.canaries;
  const sorted = milliseconds.toSorted((a, b) => a - b);
  // All agents ask at the same moment, as after an outage; what comes later must not take more.
  const storm = Math.max(...[enrolled, listening, renewed].map((one) => one.peakBytes));
  const later = Math.max(...[canaries, requests, rest].map((one) => one.peakBytes));
  return [
    ...each("an enrolment", enrolled, count),
    { metric: "enrolments a second", unit: "/s", ours: [count / enrolled.seconds] },
    ...each("a first token and its channel", listening, count),
    ...each("a renewed token", renewed, count),
    ...each("a canary, ticks of the timers included", canaries, sentCanaries),
    ...each("a request of one row", requests, count),
    { metric: "requests a second", unit: "/s", ours: [count / requests.seconds] },
    { metric: "a request of one row, median", unit: "ms", ours: [sorted[Math.floor(sorted.length / 2)]!] },
    { metric: "a request of one row, 95 of 100", unit: "ms", ours: [sorted[Math.floor(sorted.length * 0.95)]!] },
    {
      metric: `a minute at rest, with ${last.canaries - rested.canaries} canaries, CPU`,
      unit: "s",
      ours: [rest.cpuSeconds],
    },
    ...operationsOf("a minute at rest", rest.operations, 1),
    {
      metric: "most memory of the function host, while all agents ask at once",
      unit: "MB",
      ours: [storm / 1e6],
    },
    { metric: "most memory of it afterwards", unit: "MB", ours: [later / 1e6] },
    { metric: "of it, by how much more", unit: "", ours: [later / storm], budget: { most: 1.15 } },
    { metric: "memory of the process of the agents", unit: "MB", ours: [last.residentBytes / 1e6] },
    { metric: "agents online at the end", unit: "", ours: [last.online], budget: { least: count } },
  ];
}

/** CPU of the function host and requests to the storage, for one of many. */
const each = (what: string, { cpuSeconds, operations }: Phase, many: number): Measured[] => [
  { metric: `${what}: CPU`, unit: "ms", ours: [(cpuSeconds / many) * 1000] },
  ...operationsOf(what, operations, many),
];

const operationsOf = (what: string, operations: Operations, many: number): Measured[] =>
  Object.entries(operations)
    .filter(([, times]) => times > 0)
    .map(([kind, times]) => ({ metric: `${what}: storage, ${kind}`, unit: "", ours: [times / many] }));

/** What the function host takes while something is done. */
function watching(
  { pid, storage }: Platform,
  say: FleetOptions["say"],
): (work: () => Promise<unknown>) => Promise<Phase> {
  return async (work) => {
    storage.take();
    resetPeak(pid);
    const [cpu, fromMs] = [timesOf(pid)!.own, performance.now()];
    await work();
    const seconds = (performance.now() - fromMs) / 1000;
    const cpuSeconds = timesOf(pid)!.own - cpu;
    const peak = peakBytes(pid)!;
    const { resident, own } = memoryOf(pid);
    const megabytes = [peak, resident, own].map((bytes) => Math.round(bytes / 1e6));
    say(`function host: ${megabytes[0]} MB at most, now ${megabytes[1]} MB, ${megabytes[2]} of them its own`);
    return { seconds, cpuSeconds, peakBytes: peak, operations: storage.take() };
  };
}

interface Site {
  readonly tenant: string;
  readonly site: string;
  /** The connection of this site. */
  readonly connection: string;
}

/** Tenants, their sites, and a connection with a credential for each. */
async function prepare(api: Api, count: number): Promise<Site[]> {
  const sites: Site[] = [];
  for (let at = 0; at * AGENTS_PER_SITE < count; at++) {
    const [tenant, site] = [`tenant-${Math.floor(at / SITES)}`, `site-${at % SITES}`];
    const connection = `erp-${at % SITES}`;
    if (at % SITES === 0) await patiently(() => api.post("/tenants", { id: tenant, name: tenant }));
    const below = `/tenants/${tenant}`;
    await patiently(() => api.post(`${below}/sites`, { id: site, name: site }));
    await patiently(() => api.post(`${below}/connections`, { id: connection, site, kind: "mssql" }));
    const credential = { user: "svc", password: "of-the-benchmark" };
    await patiently(() => api.put(`${below}/connections/${connection}/credential`, credential));
    sites.push({ tenant, site, connection });
  }
  return sites;
}

/** In the order of the sites, so that each has its agents. */
async function drawCodes(api: Api, sites: readonly Site[], count: number): Promise<string[]> {
  const codes = Array.from({ length: count }, () => "");
  await inParallel(count, async (at) => {
    const { tenant, site } = sites[Math.floor(at / AGENTS_PER_SITE)]!;
    const path = `/tenants/${tenant}/sites/${site}/codes`;
    codes[at] = (await patiently(() => api.post<{ code: string }>(path, { autoApprove: true }))).code;
  });
  return codes;
}

async function ask(api: Api, sites: readonly Site[], count: number, milliseconds: number[]): Promise<void> {
  await inParallel(count, async (at) => {
    const { tenant, connection } = sites[at % sites.length]!;
    const operation = { op: "sql.query", statement: "one" };
    const answered = await patiently(async () => {
      const fromMs = performance.now();
      const { state, count: rows } = await api.post<{ state: string; count: number }>(`/tenants/${tenant}/requests`, {
        connection,
        operation,
      });
      return { state, rows, ms: performance.now() - fromMs };
    });
    if (answered.state !== "succeeded" || answered.rows !== 1) throw new Error(JSON.stringify(answered));
    milliseconds.push(answered.ms);
  });
}

async function inParallel(count: number, act: (at: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await act(next++);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

/** Once more after a pause for as long as the key calls too often. */
async function patiently<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call();
    } catch (thrown) {
      if (!(thrown instanceof ApiError) || thrown.problem.code !== "api.too_many_calls") throw thrown;
      await pause(LOOK_MS);
    }
  }
}

async function startFleet(folder: string, cleanup: Cleanup) {
  mkdirSync(folder, { recursive: true });
  const child = startChild({ name: "simulated agents", args: [AGENTS], logFile: join(folder, "agents.log") });
  cleanup.add(child, (it) => it.close());
  const lines = createInterface({ input: child.process.stdout! })[Symbol.asyncIterator]();
  return {
    async ask(order: Order): Promise<Answer> {
      child.process.stdin!.write(`${JSON.stringify(order)}\n`);
      const line = await Promise.race([lines.next(), child.ended]);
      if (line.done) throw new Error("the process of the agents ended");
      return answer.parse(JSON.parse(line.value));
    },
  };
}
