/** A further agent at a site of its own, installed as its owner would, so that only it serves that site's connection. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, createWriteStream, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { TENANT } from "../stack/start.ts";
import { CONNECTION, type World } from "./world.ts";

const SALLYPORT = fileURLToPath(new URL("../../agent/src/cli/main.ts", import.meta.url));

/** Characters of an agent's log that an error quotes. */
const LAST_WORDS = 2000;

export interface InstalledAgent {
  readonly id: string;
  readonly stateDir: string;
  /** The process of the last `start`; with `strace -D` before it, it is still the agent's own. */
  readonly process: ChildProcess;
  /** Runs the agent and waits until the relay has its listener. */
  start(options?: StartOptions): Promise<void>;
  /** Asks it to end, or makes it, and waits. Answers the exit code. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

export interface StartOptions {
  /** A command that runs the agent's command: `strace -D …`. */
  readonly wrapper?: readonly string[];
  /** Lines for agent.yaml, added to what stands there. */
  readonly config?: string;
}

/** Makes site and connection `site`, enrols an agent there, and gives it the world's policy. It is not running yet. */
export async function installAgent(
  world: World,
  site: string,
  wrapper: readonly string[] = [],
): Promise<InstalledAgent> {
  const { stack, cleanup } = world;
  const { api, relay } = stack;
  const stateDir = join(world.folder, site);
  const log = join(world.folder, "logs", `${site}.log`);
  await api.post(`/tenants/${TENANT}/sites`, { id: site, name: site });
  const { code } = await api.post<{ code: string }>(`/tenants/${TENANT}/sites/${site}/codes`, { autoApprove: true });
  const id = await enrol(world, { stateDir, code, wrapper });
  writeFileSync(join(stateDir, "policy.yaml"), world.policy.replace(`  ${CONNECTION}:`, `  ${site}:`), { mode: 0o600 });
  await world.connect(site, site);

  let child: ChildProcess | undefined;
  let exited: Promise<number | null> = Promise.resolve(null);
  const agent: InstalledAgent = {
    id,
    stateDir,
    get process() {
      if (child === undefined) throw new Error("the agent was not started");
      return child;
    },
    async start(options = {}) {
      // One that a failed check left behind.
      await agent.stop("SIGKILL");
      if (options.config !== undefined) appendFileSync(join(stateDir, "agent.yaml"), options.config);
      const args = ["run", "--config", join(stateDir, "agent.yaml"), "--insecure-files"];
      child = launch(args, options.wrapper ?? [], ["ignore", "ignore", "pipe"]);
      child.stderr?.pipe(createWriteStream(log, { flags: "a", mode: 0o600 }));
      const online = saysOnline(child);
      let said = "";
      child.stderr?.on("data", (piece) => {
        said = `${said}${piece}`.slice(-LAST_WORDS);
      });
      exited = once(child, "close").then(([code]) => code as number | null);
      const early = exited.then((code) => Promise.reject(new Error(`the agent ended with ${code}:\n${said}`)));
      early.catch(() => undefined);
      await Promise.race([Promise.all([online, relay.listening(`a-${id}`)]), early]);
    },
    stop(signal = "SIGTERM") {
      child?.kill(signal);
      return exited;
    },
  };
  return cleanup.add(agent, (it) => it.stop("SIGKILL"));
}

interface EnrolOptions {
  readonly stateDir: string;
  readonly code: string;
  readonly wrapper: readonly string[];
}

async function enrol({ stack, folder }: World, { stateDir, code, wrapper }: EnrolOptions): Promise<string> {
  const args = ["enroll", "--origin", stack.origin, "--code-file", "-", "--state", stateDir, "--json"];
  const relay = ["--ca", join(folder, "ca.pem"), "--rendezvous-host", `localhost:${stack.relay.rendezvousPort}`];
  const child = launch([...args, ...relay], wrapper, ["pipe", "pipe", "pipe"]);
  let text = "";
  for (const stream of [child.stdout, child.stderr])
    stream?.on("data", (piece) => {
      text += piece;
    });
  child.stdin?.end(`${code}\n`);
  const [exitCode] = (await once(child, "close")) as [number | null];
  if (exitCode !== 0) throw new Error(`the agent did not enrol:\n${text}`);
  return (JSON.parse(text) as { agent: string }).agent;
}

function launch(args: readonly string[], wrapper: readonly string[], stdio: ("pipe" | "ignore")[]): ChildProcess {
  const [command, ...rest] = [
    ...wrapper,
    process.execPath,
    "--disable-warning=ExperimentalWarning",
    SALLYPORT,
    ...args,
  ];
  return spawn(command!, rest, { env: { PATH: process.env.PATH ?? "" }, stdio });
}

/** Settles at the agent's own word: the relay may still hold the listener of one that has just ended. */
const saysOnline = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    let text = "";
    child.stderr?.on("data", (piece) => {
      text = `${text}${piece}`.slice(-10_000);
      if (text.includes("control channel online")) resolve();
    });
  });
