/** A relay, an orchestrator and a customer's machine with one agent, all on loopback; for the agent's tests. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, watch, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Relay, startRelay } from "../../emulators/relay/start.ts";
import { type Authority, makeAuthority } from "../../emulators/tls/certificates.ts";
import { startOrchestrator, type TestOrchestrator } from "./orchestrator.ts";

const CLI = fileURLToPath(new URL("../../../agent/src/cli/main.ts", import.meta.url));

export interface CliResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Site {
  readonly authority: Authority;
  readonly relay: Relay;
  readonly orchestrator: TestOrchestrator;
  /** The agent's folder. */
  readonly state: string;
  readonly caFile: string;
  readonly sendKey: string;
  /** Runs the command line to its end. */
  cli(args: readonly string[], stdin?: string, environment?: Readonly<Record<string, string>>): Promise<CliResult>;
  enroll(code: string): Promise<CliResult>;
  /** Starts `sallyport run` and waits until it listens. */
  start(): Promise<RunningAgent>;
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
  /** Sends the signal and waits for the end. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

const LISTEN_KEY = "listen-key-of-the-test";
const SEND_KEY = "send-key-of-the-test";

export async function startSite(): Promise<Site> {
  const authority = await makeAuthority();
  const folder = mkdtempSync(join(tmpdir(), "sallyport-agent-"));
  const state = join(folder, "agent");
  const caFile = join(folder, "ca.pem");
  writeFileSync(caFile, authority.caPem);
  const certificate = await authority.issue({ names: ["localhost"], addresses: ["127.0.0.1"] });
  const relay = await startRelay({
    tls: certificate,
    entities: [],
    closeCodes: "relayed",
    namespaceRules: [
      { name: "listen", primaryKey: LISTEN_KEY, rights: ["Listen"] },
      { name: "send", primaryKey: SEND_KEY, rights: ["Send"] },
    ],
  });
  const orchestrator = await startOrchestrator(certificate, {
    host: `localhost:${relay.controlPort}`,
    keyName: "listen",
    key: LISTEN_KEY,
    createPath: (path) => relay.putEntity({ path }),
  });
  const agents = new Set<ChildProcess>();

  const cli: Site["cli"] = async (args, stdin = "", environment = {}) => {
    const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", CLI, ...args], {
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
    authority,
    relay,
    orchestrator,
    state,
    caFile,
    sendKey: SEND_KEY,
    cli,
    journal,
    agentId,
    enroll: (code) =>
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
          ...["--rendezvous-host", `localhost:${relay.rendezvousPort}`],
        ],
        code,
      ),
    async start() {
      const args = ["--disable-warning=ExperimentalWarning", CLI, "run", "--config", join(state, "agent.yaml")];
      const child = spawn(process.execPath, [...args, "--insecure-files"], {
        env: { PATH: process.env.PATH },
        stdio: ["ignore", "ignore", "pipe"],
      });
      agents.add(child);
      let log = "";
      // Its own word: the relay may still hold the listener of an agent that has just ended.
      const online = new Promise<void>((resolve) => {
        child.stderr.on("data", (chunk) => {
          log += chunk;
          if (log.includes("control channel online")) resolve();
        });
      });
      const exited = once(child, "close").then(([code]) => {
        agents.delete(child);
        return code as number | null;
      });
      const failed = exited.then((code) => {
        throw new Error(`the agent ended with ${code}:\n${log}`);
      });
      failed.catch(() => {});
      await Promise.race([online, failed]);
      return {
        process: child,
        log: () => log,
        stop: (signal = "SIGTERM") => {
          child.kill(signal);
          return exited;
        },
      };
    },
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
