/** `footprint`: what the agent of each artefact costs the machine it is installed on while it waits, and how long it takes to be there. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { buildAgent } from "../build/agent.ts";
import type { Bundle } from "../build/bundle.ts";
import { buildCloud } from "../build/cloud.ts";
import { indexApp } from "../build/index-app.ts";
import { runArguments } from "../stack/agent.ts";
import { startChild } from "../stack/children.ts";
import { bundled, type Program } from "../stack/program.ts";
import { type Artefact, type Artefacts, makeArtefacts, type Startable } from "./footprint/artefacts.ts";
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
  const imports: number[] = [];
  for (let run = 1; run <= runs; run++) imports.push((await indexApp(cloud.folder)).milliseconds);
  const folder = mkdtempSync(join(tmpdir(), "sallyport-footprint-"));
  try {
    const artefacts = await makeArtefacts(folder);
    say("the image holds the package's program, byte by byte: it is weighed, and not started");
    const starts = await startEach(artefacts, { runs, say });
    return [
      ...started(starts.bundle),
      ...startedAs("package", starts.packaged),
      ...startedAs("executable", starts.executable, starts.packaged),
      ...Object.entries({
        package: artefacts.packaged,
        image: artefacts.image,
        executable: artefacts.executable,
      }).flatMap(([name, artefact]) => weights(name, artefact)),
      { ...size("agent", agent), budget: { most: 2 } },
      { metric: "packages in the agent", unit: "packages", ours: [agent.packages.length], budget: { most: 59 } },
      { metric: "of these by Azure", unit: "packages", ours: [azure(agent)], budget: { most: 0 } },
      size("function app", cloud),
      { metric: "packages in the function app", unit: "packages", ours: [cloud.packages.length] },
      { metric: "cold import of the function app", unit: "ms", ours: imports, budget: { most: 500 } },
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const FORMS = ["bundle", "packaged", "executable"] as const;
type Form = (typeof FORMS)[number];

/**
 * In turns, so that what else the machine does is the same for all. The bundle's Node is the one that everything here runs by, so its
 * pages are nobody's own, as on a machine with more of Node; of the other two they are their own.
 */
const startEach = (artefacts: Artefacts, { runs, say }: FootprintOptions): Promise<Record<Form, Start[]>> =>
  onSite({}, async (site) => {
    await site.agent.close();
    const all: Record<Form, Start[]> = { bundle: [], packaged: [], executable: [] };
    const startables = { ...artefacts, bundle: startableBundle(await bundled()) };
    for (let run = 1; run <= runs; run++) {
      for (const form of FORMS) {
        const start = await startOnce(site, startables[form]);
        all[form].push(start);
        say(`run ${run}, ${form}: listens after ${start.readyMs.toFixed(0)} ms`);
      }
    }
    return all;
  });

const FIGURES = [
  { metric: "start to listening", unit: "ms", of: ({ readyMs }) => readyMs, budget: { most: 500 } },
  { metric: "CPU until then", unit: "ms", of: ({ cpuMs }) => cpuMs },
  { metric: "RSS of the idle supervisor", unit: "MB", of: (it) => it.supervisor.resident / 1e6, budget: { most: 70 } },
  {
    ...{ metric: "private memory of the idle supervisor", unit: "MB", budget: { most: 25 } },
    of: (it) => it.supervisor.own / 1e6,
  },
  { metric: "RSS of one warm executor", unit: "MB", of: (it) => it.executor.resident / 1e6, budget: { most: 75 } },
  { metric: "private memory of one warm executor", unit: "MB", of: (it) => it.executor.own / 1e6 },
] as const satisfies readonly (Pick<Measured, "metric" | "unit" | "budget"> & { of(start: Start): number })[];

const started = (starts: readonly Start[]): Measured[] =>
  FIGURES.map(({ of, ...figure }) => ({ ...figure, ours: starts.map(of) }));

/** Nothing is promised for them: what counts is how they compare. */
const startedAs = (name: string, starts: readonly Start[], packaged?: readonly Start[]): Measured[] =>
  FIGURES.map(({ metric, unit, of }) => ({
    ...{ metric: `${name}: ${metric}`, unit, ours: starts.map(of) },
    ...(packaged === undefined ? {} : { peer: { name: "the package", values: packaged.map(of) } }),
  }));

const startableBundle = ({ sallyport, executor }: Program): Startable => ({
  command: [process.execPath, "--disable-warning=ExperimentalWarning", sallyport],
  isExecutor: (command) => command.includes(executor),
});

const weights = (name: string, { unpackedBytes, packedBytes }: Artefact): Measured[] => [
  { metric: `size of the ${name}, unpacked`, unit: "MB", ours: [unpackedBytes / 1e6] },
  { metric: `size of the ${name}, packed`, unit: "MB", ours: [packedBytes / 1e6] },
];

const size = (what: string, { javascriptBytes }: Bundle): Measured => ({
  metric: `JavaScript of the ${what}`,
  unit: "MB",
  ours: [javascriptBytes / 1e6],
});

const azure = ({ packages }: Bundle): number => packages.filter((name) => name.startsWith("@azure/")).length;

/** From the start of the process until the relay has its listener. */
async function startOnce(site: Site, { command, isExecutor }: Startable): Promise<Start> {
  const path = `a-${site.agent.id}`;
  const startedMs = performance.now();
  const args = runArguments(site.agent.stateDir);
  const agent = startChild({ name: "agent", program: command, args, logFile: `${site.folder}/logs/agent.log` });
  site.cleanup.add(agent, (it) => it.close());
  await Promise.race([site.relay.listening(path), agent.ended]);
  const readyMs = performance.now() - startedMs;
  const supervisor = agent.process.pid!;
  const cpuMs = (timesOf(supervisor)?.own ?? 0) * 1000;
  const executor = await settledExecutor(supervisor, isExecutor);
  const start = { readyMs, cpuMs, supervisor: memoryOf(supervisor), executor: memoryOf(executor) };
  await agent.close();
  while (site.relay.stats().listeners > 0) await pause(LOOK_MS);
  return start;
}

/** A warm executor, once nothing changes in it or in its supervisor. */
async function settledExecutor(supervisor: number, isExecutor: Startable["isExecutor"]): Promise<number> {
  for (let quietMs = 0, last = -1, pid = 0; ; ) {
    const [child] = childrenOf(supervisor).filter((each) => isExecutor(commandOf(each)));
    const now = child === undefined ? -1 : memoryOf(child).own + memoryOf(supervisor).own;
    quietMs = now >= 0 && child === pid && Math.abs(now - last) < 1e6 ? quietMs + LOOK_MS : 0;
    if (child !== undefined && quietMs >= SETTLED_MS) return child;
    last = now;
    pid = child ?? 0;
    await pause(LOOK_MS);
  }
}
