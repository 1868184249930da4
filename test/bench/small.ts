/**
 * `small`: a named statement that gives one row, from the orchestrator's call to the last frame. There is no route for such
 * requests yet, so the orchestrator's sessions module is called itself, in a process of its own; the agent is the bundle's.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { LOCAL, startSite } from "../e2e/agent/site.ts";
import { startTds } from "../emulators/tds/start.ts";
import { makeAuthority } from "../emulators/tls/certificates.ts";
import { bundledIn, type Program } from "../stack/program.ts";
import { childrenOf, commandOf, timesOf } from "./processes.ts";
import { type Measured, median } from "./results.ts";
import { startWire } from "./small/delay.ts";
import { type Answer, answer, type Order, type SetUp } from "./small/orders.ts";

const ORCHESTRATOR = fileURLToPath(new URL("./small/orchestrator.ts", import.meta.url));
const PASSWORD = "Reader-1-of-the-benchmark";
const ROUND_TRIP_MS = 50;
const SUSTAINED = { sessions: 60, atOnce: 4 };
const LOOK_MS = 20;
const HEARD_MS = 100;

export interface SmallOptions {
  readonly runs: number;
  readonly say: (line: string) => void;
}

export async function benchSmall({ runs, say }: SmallOptions): Promise<Measured[]> {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-small-"));
  const program = await bundledIn(folder);
  const authority = await makeAuthority();
  const tls = await authority.issue({ names: ["localhost"], addresses: ["127.0.0.1"] });
  const tds = await startTds({
    tls,
    logins: [{ name: "svc", password: PASSWORD, rights: "read" }],
    databases: ["ERP"],
  });
  const site = await startSite(LOCAL, program.sallyport);
  const wire = await startWire(site.relay.controlPort, ROUND_TRIP_MS / 2);
  try {
    const enrolled = await site.enroll(site.orchestrator.code());
    if (enrolled.code !== 0) throw new Error(enrolled.stderr);
    writeFileSync(join(site.state, "sql-ca.pem"), authority.caPem);
    site.setPolicy(policy(tds.port));
    site.addConfig("maxSessions: 8\n");
    const agent = await site.start();
    const supervisor = agent.process.pid!;
    const registered = site.orchestrator.agents.get(site.agentId())!;
    const orchestrator = await startOrchestrator(site.caFile, {
      relayHost: "",
      sendKey: site.sendKey,
      signing: { ...site.orchestrator.signing },
      agent: {
        id: registered.id,
        path: `a-${registered.id}`,
        identity: { ...registered.identity },
        kid: registered.kid,
      },
      credential: { user: "svc", password: PASSWORD },
    });
    const near = `localhost:${site.relay.controlPort}`;
    const far = `localhost:${wire.port}`;
    const one = async (relayHost: string, cold: boolean): Promise<number> => {
      await settled(supervisor, program);
      if (cold) for (const pid of executorsOf(supervisor, program)) process.kill(pid, "SIGKILL");
      if (cold) while (executorsOf(supervisor, program).length > 0) await pause(1);
      // The supervisor hears of it a moment after the system does, and must not hand out one that is dead.
      if (cold) await pause(HEARD_MS);
      return (await orchestrator.ask({ sessions: 1, atOnce: 1, relayHost })).milliseconds[0]!;
    };
    const series = async (relayHost: string, cold: boolean): Promise<number[]> => {
      await one(relayHost, cold);
      const all: number[] = [];
      for (let run = 0; run < runs; run++) all.push(await one(relayHost, cold));
      say(`${cold ? "cold" : "warm"}, ${relayHost === near ? 0 : ROUND_TRIP_MS} ms: ${median(all).toFixed(0)} ms`);
      return all;
    };
    const [warmNear, warmFar] = [await series(near, false), await series(far, false)];
    const [coldNear, coldFar] = [await series(near, true), await series(far, true)];

    await settled(supervisor, program);
    const before = timesOf(supervisor)!;
    const many = await orchestrator.ask({ ...SUSTAINED, relayHost: near });
    await settled(supervisor, program);
    const after = timesOf(supervisor)!;
    const perSession = (seconds: number) => [(seconds / SUSTAINED.sessions) * 1000];
    const agentSeconds = after.own - before.own + (after.ended - before.ended);
    await orchestrator.stop();
    return [
      { metric: "one row, warm, no delay", unit: "ms", ours: warmNear },
      { metric: `one row, warm, ${ROUND_TRIP_MS} ms of round trip`, unit: "ms", ours: warmFar },
      trips("round trips, warm", warmNear, warmFar),
      { metric: "one row, cold, no delay", unit: "ms", ours: coldNear },
      { metric: `one row, cold, ${ROUND_TRIP_MS} ms of round trip`, unit: "ms", ours: coldFar },
      trips("round trips, cold", coldNear, coldFar),
      {
        metric: "CPU of all for a session",
        unit: "ms",
        ours: perSession(agentSeconds + many.cpuSeconds),
        budget: { most: 250 },
      },
      { metric: "of it, the supervisor", unit: "ms", ours: perSession(after.own - before.own) },
      { metric: "of it, executors, their start included", unit: "ms", ours: perSession(after.ended - before.ended) },
      { metric: "of it, the orchestrator", unit: "ms", ours: perSession(many.cpuSeconds) },
      {
        metric: "sessions a second, sustained",
        unit: "/s",
        ours: [SUSTAINED.sessions / many.seconds],
        budget: { least: 6 },
      },
    ];
  } finally {
    await wire.close();
    await site.close();
    await tds.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** How many round trips of the orchestrator's line are in what it takes longer with the delay. */
const trips = (metric: string, near: readonly number[], far: readonly number[]): Measured => ({
  metric,
  unit: "",
  ours: [(median(far) - median(near)) / ROUND_TRIP_MS],
});

const executorsOf = (supervisor: number, { executor }: Program): number[] =>
  childrenOf(supervisor).filter((pid) => commandOf(pid).includes(executor));

const WARM = 2;
/** As long as the executors take no CPU, they are ready. */
const QUIET_MS = 300;

/** Waits until the pool has its warm executors and they have come to rest. */
async function settled(supervisor: number, program: Program): Promise<void> {
  for (let quietMs = 0, last = -1; quietMs < QUIET_MS; ) {
    const pids = executorsOf(supervisor, program);
    if (timesOf(supervisor) === undefined) throw new Error("the supervisor has ended");
    const cpu = pids.reduce((sum, pid) => sum + (timesOf(pid)?.own ?? 0), 0);
    quietMs = pids.length === WARM && cpu === last ? quietMs + LOOK_MS : 0;
    last = cpu;
    await pause(LOOK_MS);
  }
}

async function startOrchestrator(caFile: string, setUp: SetUp) {
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", ORCHESTRATOR], {
    env: { PATH: process.env.PATH ?? "", NODE_EXTRA_CA_CERTS: caFile },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const exited = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  const say = async (message: SetUp | Order): Promise<unknown> => {
    child.stdin.write(`${JSON.stringify(message)}\n`);
    const line = await lines.next();
    if (line.done) throw new Error("the orchestrator's process ended");
    return JSON.parse(line.value);
  };
  await say(setUp);
  return {
    ask: async (order: Order): Promise<Answer> => answer.parse(await say(order)),
    stop: () => {
      child.stdin.end();
      return exited;
    },
  };
}

const policy = (port: number): string => `v: 1
limits: { sessionsPerMinute: 6000 }
connections:
  erp:
    kind: mssql
    address: localhost:${port}
    database: ERP
    tls: { mode: required, ca: sql-ca.pem }
    logins: [svc]
    limits: { sessions: 8 }
    rules:
      - { id: one, allow: [statement], name: one, sql: SELECT 1 AS One, returns: [One] }
`;
