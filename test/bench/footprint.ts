/** `footprint`: what the bundled agent costs the machine it is installed on while it waits, and how long it takes to be there. */
import { setTimeout as pause } from "node:timers/promises";
import { buildAgent } from "../build/agent.ts";
import type { Bundle } from "../build/bundle.ts";
import { buildCloud } from "../build/cloud.ts";
import { indexApp } from "../build/index-app.ts";
import { runAgent } from "../stack/agent.ts";
import { bundled, type Program } from "../stack/program.ts";
import { childrenOf, commandOf, memoryOf, timesOf } from "./processes.ts";
import type { Measured } from "./results.ts";
import { onSite, type Site } from "./site.ts";

export interface FootprintOptions {
  readonly runs: number;
  readonly say: (line: string) => void;
}

/** After so long without a change of its memory a process counts as idle. */
const SETTLED_MS = 5_000;
const LOOK_MS = 250;

interface Start {
  readonly readyMs: number;
  /** CPU of the supervisor until then. */
  readonly cpuMs: number;
  readonly supervisor: ReturnType<typeof memoryOf>;
  readonly executor: ReturnType<typeof memoryOf>;
}

export async function benchFootprint({ runs, say }: FootprintOptions): Promise<Measured[]> {
  const [agent, cloud] = await Promise.all([buildAgent(), buildCloud()]);
  const program = await bundled();
  const imports: number[] = [];
  for (let run = 1; run <= runs; run++) imports.push((await indexApp(cloud.folder)).milliseconds);
  const starts = await onSite({ program }, async (site) => {
    await site.agent.close();
    const all: Start[] = [];
    for (let run = 1; run <= runs; run++) {
      const start = await startOnce(site, program);
      all.push(start);
      say(`run ${run}: listens after ${start.readyMs.toFixed(0)} ms`);
    }
    return all;
  });
  const megabytes = (metric: string, most: number, of: (start: Start) => number): Measured => ({
    metric,
    unit: "MB",
    ours: starts.map((start) => of(start) / 1e6),
    budget: { most },
  });
  return [
    { metric: "start to listening", unit: "ms", ours: starts.map(({ readyMs }) => readyMs), budget: { most: 500 } },
    { metric: "CPU until then", unit: "ms", ours: starts.map(({ cpuMs }) => cpuMs) },
    megabytes("RSS of the idle supervisor", 70, ({ supervisor }) => supervisor.resident),
    megabytes("private memory of the idle supervisor", 25, ({ supervisor }) => supervisor.own),
    megabytes("RSS of one warm executor", 75, ({ executor }) => executor.resident),
    { metric: "private memory of one warm executor", unit: "MB", ours: starts.map((s) => s.executor.own / 1e6) },
    { ...size("agent", agent), budget: { most: 2 } },
    { metric: "packages in the agent", unit: "packages", ours: [agent.packages.length], budget: { most: 59 } },
    { metric: "of these by Azure", unit: "packages", ours: [azure(agent)], budget: { most: 0 } },
    size("function app", cloud),
    { metric: "packages in the function app", unit: "packages", ours: [cloud.packages.length] },
    { metric: "cold import of the function app", unit: "ms", ours: imports, budget: { most: 500 } },
  ];
}

const size = (what: string, { javascriptBytes }: Bundle): Measured => ({
  metric: `JavaScript of the ${what}`,
  unit: "MB",
  ours: [javascriptBytes / 1e6],
});

const azure = ({ packages }: Bundle): number => packages.filter((name) => name.startsWith("@azure/")).length;

/** From the start of the process until the relay has its listener. */
async function startOnce(site: Site, program: Program): Promise<Start> {
  const path = `a-${site.agent.id}`;
  const startedMs = performance.now();
  const agent = runAgent(site.agent.stateDir, `${site.folder}/logs/agent.log`, program);
  site.cleanup.add(agent, (it) => it.close());
  await Promise.race([site.relay.listening(path), agent.ended]);
  const readyMs = performance.now() - startedMs;
  const supervisor = agent.process.pid!;
  const cpuMs = (timesOf(supervisor)?.own ?? 0) * 1000;
  const executor = await settledExecutor(supervisor, program);
  const start = { readyMs, cpuMs, supervisor: memoryOf(supervisor), executor: memoryOf(executor) };
  await agent.close();
  while (site.relay.stats().listeners > 0) await pause(LOOK_MS);
  return start;
}

/** A warm executor, once nothing changes in it or in its supervisor. */
async function settledExecutor(supervisor: number, program: Program): Promise<number> {
  for (let quietMs = 0, last = -1, pid = 0; ; ) {
    const [child] = childrenOf(supervisor).filter((each) => commandOf(each).includes(program.executor));
    const now = child === undefined ? -1 : memoryOf(child).own + memoryOf(supervisor).own;
    quietMs = now >= 0 && child === pid && Math.abs(now - last) < 1e6 ? quietMs + LOOK_MS : 0;
    if (child !== undefined && quietMs >= SETTLED_MS) return child;
    last = now;
    pid = child ?? 0;
    await pause(LOOK_MS);
  }
}
