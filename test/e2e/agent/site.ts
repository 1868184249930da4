/** A relay, an orchestrator and a customer's machine with one agent, all on loopback; for the agent's tests. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, watch, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Relay, startRelay } from "../../emulators/relay/start.ts";
import { type Authority, makeAuthority } from "../../emulators/tls/certificates.ts";
import { agentEntry } from "./entry.ts";
import { startOrchestrator, type TestOrchestrator } from "./orchestrator.ts";

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What the parts are called in addresses. Other names than `localhost` lead somewhere only where a proxy knows them. */
export interface SiteNames {
  readonly orchestrator: string;
  /** The relay's namespace. */
  readonly relay: string;
  /** Its gateway, where a rendezvous takes place. */
  readonly rendezvous: string;
}

export interface Site {
  readonly names: SiteNames;
  readonly authority: Authority;
  readonly relay: Relay;
  readonly orchestrator: TestOrchestrator;
  /** The agent's folder. */
  readonly state: string;
  readonly caFile: string;
  readonly sendKey: string;
  /** Runs the command line to its end. */
  cli(args: readonly string[], stdin?: string, environment?: Readonly<Record<string, string>>): Promise<CliResult>;
  enroll(code: string, more?: readonly string[]): Promise<CliResult>;
  /** Starts `sallyport run` and waits until it listens. @param flags of Node's */
  start(environment?: Readonly<Record<string, string>>, flags?: readonly string[]): Promise<RunningAgent>;
  /** The same without waiting, for an agent that will not get that far. */
  launch(environment?: Readonly<Record<string, string>>): RunningAgent;
  agentId(): string;
  setPolicy(text: string): void;
  /** Merges lines into agent.yaml. */
  addConfig(lines: string): void;
  /** The journal's lines now. */
  journal(): Record<string, unknown>[];
  /** Settles when a line that fits has been written. */
  journaled(fits: (line: Record<string, unknown>) => boolean): Promise<Record<string, unknown>>;
  close(): Promise<void>;
}

export interface RunningAgent {
  readonly process: ChildProcess;
  readonly log: () => string;
  /** Settles when its log has this text, and when it has ended. */
  logged(text: string): Promise<void>;
  /** Sends the signal and waits for the end. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

const LISTEN_KEY = "listen-key-of-the-test";
const SEND_KEY = "send-key-of-the-test";

const ONLINE = "control channel online";
export const LOCAL: SiteNames = { orchestrator: "localhost", relay: "localhost", rendezvous: "localhost" };

/** @param sallyport the command line that is started */
export async function startSite(names: SiteNames = LOCAL, sallyport: string = agentEntry()): Promise<Site> {
  const authority = await makeAuthority();
  const folder = mkdtempSync(join(tmpdir(), "sallyport-agent-"));
  const state = join(folder, "agent");
  const caFile = join(folder, "ca.pem");
  writeFileSync(caFile, authority.caPem);
  const certificate = await authority.issue({
    names: [...new Set(["localhost", ...Object.values(names)])],
    addresses: ["127.0.0.1"],
  });
  const relay = await startRelay({
    tls: certificate,
    entities: [],
    namespace: names.relay,
    rendezvousHost: names.rendezvous,
    closeCodes: "relayed",
    namespaceRules: [
      { name: "listen", primaryKey: LISTEN_KEY, rights: ["Listen"] },
      { name: "send", primaryKey: SEND_KEY, rights: ["Send"] },
    ],
  });
  const orchestrator = await startOrchestrator(certificate, names.orchestrator, {
    host: `${names.relay}:${relay.controlPort}`,
    keyName: "listen",
    key: LISTEN_KEY,
    createPath: (path) => relay.putEntity({ path }),
  });
  const agents = new Set<ChildProcess>();

  const cli: Site["cli"] = async (args, stdin = "", environment = {}) => {
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", sallyport, ...args], {
      env: { PATH: process.env.PATH, ...environment },
      stdio: ["pipe", "pipe", "pipe"],
    });
    let [stdout, stderr] = ["", ""];
    child.stdout.on("data", (chunk) => {
      stdout += chunk;
    });
    child.stderr.on("data", (chunk) => {
      stderr += chunk;
    });
    child.stdin.on("error", () => {});
    child.stdin.end(stdin);
    const [code] = (await once(child, "close")) as [number | null];
    return { code, stdout, stderr };
  };
  const launch = (
    environment: Readonly<Record<string, string>> = {},
    flags: readonly string[] = [],
  ): RunningAgent & { exited: Promise<number | null> } => {
    const args = [sallyport, "run", "--config", join(state, "agent.yaml"), "--insecure-files"];
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", ...flags, ...args], {
      env: { PATH: process.env.PATH, ...environment },
      stdio: ["ignore", "ignore", "pipe"],
    });
    agents.add(child);
    let log = "";
    const awaited = new Set<() => void>();
    const look = (): void => {
      for (const each of [...awaited]) each();
    };
    child.stderr.on("data", (chunk) => {
      log += chunk;
      look();
    });
    const exited = once(child, "close").then(([code]) => {
      agents.delete(child);
      return code as number | null;
    });
    void exited.then(look);
    return {
      process: child,
      exited,
      log: () => log,
      logged: (text) =>
        new Promise((resolve) => {
          const each = (): void => {
            if (!log.includes(text) && agents.has(child)) return;
            awaited.delete(each);
            resolve();
          };
          awaited.add(each);
          each();
        }),
      stop: (signal = "SIGTERM") => {
        child.kill(signal);
        return exited;
      },
    };
  };
  const journalFolder = join(state, "journal");
  const journal = (): Record<string, unknown>[] =>
    existsSync(journalFolder)
      ? readdirSync(journalFolder)
          .sort()
          .flatMap((name) => readFileSync(join(journalFolder, name), "utf8").split("\n").filter(Boolean))
          .map((line) => JSON.parse(line) as Record<string, unknown>)
      : [];
  const agentId = (): string =>
    (JSON.parse(readFileSync(join(state, "pinned.json"), "utf8")) as { agent: string }).agent;

  return {
    names,
    authority,
    relay,
    orchestrator,
    state,
    caFile,
    sendKey: SEND_KEY,
    cli,
    journal,
    agentId,
    enroll: (code, more = []) =>
      cli(
        [
          ...[
            "enroll",
            "--json",
            "--origin",
            orchestrator.origin,
            "--code-file",
            "-",
            "--state",
            state,
            "--ca",
            caFile,
          ],
          ...["--rendezvous-host", `${names.rendezvous}:${relay.rendezvousPort}`, ...more],
        ],
        code,
      ),
    async start(environment, flags) {
      const agent = launch(environment, flags);
      // Its own word: the relay may still hold the listener of an agent that has just ended.
      await agent.logged(ONLINE);
      if (!agent.log().includes(ONLINE)) throw new Error(`the agent ended with ${await agent.exited}:\n${agent.log()}`);
      return agent;
    },
    launch,
    setPolicy: (text) => writeFileSync(join(state, "policy.yaml"), text),
    addConfig: (lines) => writeFileSync(join(state, "agent.yaml"), lines, { flag: "a" }),
    async journaled(fits) {
      const watcher = watch(journalFolder);
      try {
        for (;;) {
          const changed = once(watcher, "change");
          const line = journal().find(fits);
          if (line !== undefined) return line;
          await changed;
        }
      } finally {
        watcher.close();
      }
    },
    async close() {
      for (const child of agents) {
        child.kill("SIGKILL");
        await once(child, "close");
      }
      await orchestrator.close();
      await relay.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
