/** What the stack runs: the TypeScript sources, or the bundles that are deployed. */
import { basename, dirname, join } from "node:path";
import { AGENT_DIST, AGENT_MAIN, buildAgent, EXECUTOR_MAIN } from "../build/agent.ts";
import { buildCloud, CLOUD_DIST } from "../build/cloud.ts";
import { isFresh } from "../build/fresh.ts";
import { ROOT } from "../build/root.ts";

export interface Program {
  /** The agent's command line. */
  readonly sallyport: string;
  /** What an executor's process starts with, and the folders that it may read. */
  readonly executor: string;
  readonly readable: readonly string[];
  /** The function app's folder. */
  readonly app: string;
}

export const SOURCES: Program = {
  sallyport: join(ROOT, "agent/src/cli/main.ts"),
  executor: join(ROOT, "agent/src/executor/main.ts"),
  readable: ["agent", "shared", "node_modules", "package.json"].map((name) => join(ROOT, name)),
  app: join(ROOT, "cloud"),
};

/** The bundles, made anew where they are missing or older than the sources. */
export async function bundled(): Promise<Program> {
  const program = bundledAt(AGENT_DIST, CLOUD_DIST);
  const { sallyport, executor, app } = program;
  if (!isFresh([sallyport, executor])) await buildAgent();
  if (!isFresh([join(app, "package.json")])) await buildCloud();
  return program;
}

/** Bundles of one's own, which nobody makes anew while they run. */
export async function bundledIn(folder: string): Promise<Program> {
  const [agent, cloud] = await Promise.all([buildAgent(join(folder, "agent")), buildCloud(join(folder, "cloud"))]);
  return bundledAt(agent.folder, cloud.folder);
}

/** The bundles that lie in these folders. */
export const bundledAt = (agent: string, app: string): Program => ({
  sallyport: join(agent, AGENT_MAIN),
  executor: join(agent, EXECUTOR_MAIN),
  readable: [agent],
  app,
});

/** What a command line is part of: the bundle in whose folder it lies, or the sources. */
export const programOf = (sallyport: string): Program =>
  basename(sallyport) === AGENT_MAIN ? bundledAt(dirname(sallyport), CLOUD_DIST) : SOURCES;
