/** `footprint`: what an idle agent costs the machine it is installed on, run from sources. */
import { setTimeout as pause } from "node:timers/promises";
import { runAgent } from "../stack/agent.ts";
import { reachablePackages } from "./packages.ts";
import { childrenOf, commandOf, memoryOf } from "./processes.ts";
import type { Measured } from "./results.ts";
import { onSite, type Site } from "./site.ts";

export interface FootprintOptions {
  readonly runs: number;
  readonly say: (line: string) => void;
}

/** After so long without a change of its memory a process counts as idle. */
const SETTLED_MS = 2_000;
const LOOK_MS = 250;

interface Start {
  readonly readySeconds: number;
  readonly supervisor: ReturnType<typeof memoryOf>;
  readonly executor: ReturnType<typeof memoryOf>;
}

export function benchFootprint({ runs, say }: FootprintOptions): Promise<Measured[]> {
  return onSite({}, async (site) => {
    const starts: Start[] = [];
    await site.agent.close();
    for (let run = 1; run <= runs; run++) {
      const start = await startOnce(site);
      starts.push(start);
      say(`run ${run}: listens after ${start.readySeconds.toFixed(2)} s`);
    }
    const megabytes = (metric: string, of: (start: Start) => number): Measured => ({
      metric,
      unit: "MB",
      ours: starts.map((start) => of(start) / 1e6),
    });
    return [
      { metric: "start to listening", unit: "s", ours: starts.map((start) => start.readySeconds) },
      megabytes("RSS of the idle supervisor", ({ supervisor }) => supervisor.resident),
      megabytes("private memory of the idle supervisor", ({ supervisor }) => supervisor.own),
      megabytes("RSS of one warm executor", ({ executor }) => executor.resident),
      megabytes("private memory of one warm executor", ({ executor }) => executor.own),
      { metric: "packages reachable by imports from agent/src", unit: "packages", ours: [reachablePackages().length] },
    ];
  });
}

/** From the start of the process until the relay has its listener. */
async function startOnce(site: Site): Promise<Start> {
  const path = `a-${site.agent.id}`;
  const startedMs = performance.now();
  const agent = runAgent(site.agent.stateDir, `${site.folder}/logs/agent.log`);
  site.cleanup.add(agent, (it) => it.close());
  await Promise.race([site.relay.listening(path), agent.ended]);
  const readySeconds = (performance.now() - startedMs) / 1000;
  const supervisor = agent.process.pid!;
  const executor = await settledExecutor(supervisor);
  const start = { readySeconds, supervisor: memoryOf(supervisor), executor: memoryOf(executor) };
  await agent.close();
  while (site.relay.stats().listeners > 0) await pause(LOOK_MS);
  return start;
}

/** The warm executor, once nothing changes in it or in its supervisor. */
async function settledExecutor(supervisor: number): Promise<number> {
  for (let quietMs = 0, last = -1, pid = 0; ; ) {
    const [child] = childrenOf(supervisor).filter((each) => commandOf(each).includes("executor/main.ts"));
    const now = child === undefined ? -1 : memoryOf(child).own + memoryOf(supervisor).own;
    quietMs = now >= 0 && child === pid && Math.abs(now - last) < 1e6 ? quietMs + LOOK_MS : 0;
    if (child !== undefined && quietMs >= SETTLED_MS) return child;
    last = now;
    pid = child ?? 0;
    await pause(LOOK_MS);
  }
}
