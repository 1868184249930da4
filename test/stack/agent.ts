/** An agent as its owner installs it: enrolled with a code, given a policy, run as a process. */
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { boundNode } from "../emulators/processes/bound.ts";
import { type Child, childEnvironment, startChild } from "./children.ts";

const SALLYPORT = fileURLToPath(new URL("../../agent/src/cli/main.ts", import.meta.url));

export interface AgentOptions {
  readonly stateDir: string;
  readonly origin: string;
  readonly code: string;
  readonly caFile: string;
  readonly rendezvousHost: string;
  readonly policy: string;
  readonly logFile: string;
}

export interface RunningAgent extends Child {
  readonly id: string;
  readonly stateDir: string;
}

export interface CommandResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one command of `sallyport` to its end, with `input` as its standard input. */
export async function sallyport(
  args: readonly string[],
  input = "",
  signal = new AbortController().signal,
): Promise<CommandResult> {
  const node = boundNode(["--disable-warning=ExperimentalWarning", SALLYPORT, ...args]);
  const running = promisify(execFile)(node.command, node.args, { env: childEnvironment(), timeout: 60_000, signal });
  running.child.stdin?.end(input);
  try {
    return { exitCode: 0, ...(await running) };
  } catch (thrown) {
    const { code, stdout = "", stderr = "" } = thrown as { code?: unknown; stdout?: string; stderr?: string };
    if (typeof code !== "number") throw thrown;
    return { exitCode: code, stdout, stderr };
  }
}

/** Enrols, writes the owner's policy, and starts the agent. It is connected once the relay has its listener. */
export async function startAgent(options: AgentOptions, signal: AbortSignal): Promise<RunningAgent> {
  const enrolled = await sallyport(
    [
      ...["enroll", "--origin", options.origin, "--code-file", "-", "--state", options.stateDir],
      ...["--ca", options.caFile, "--rendezvous-host", options.rendezvousHost, "--json"],
    ],
    `${options.code}\n`,
    signal,
  );
  if (enrolled.exitCode !== 0) throw new Error(`the agent did not enrol:\n${enrolled.stdout}${enrolled.stderr}`);
  const { agent } = JSON.parse(enrolled.stdout) as { agent: string };
  writeFileSync(join(options.stateDir, "policy.yaml"), options.policy, { mode: 0o600 });
  signal.throwIfAborted();
  return { id: agent, stateDir: options.stateDir, ...runAgent(options.stateDir, options.logFile) };
}

/** `sallyport run` on an enrolled state folder. Its own account may write its policy here, which a service's may not. */
export const runAgent = (stateDir: string, logFile: string): Child =>
  startChild({
    name: "agent",
    args: [SALLYPORT, "run", "--config", join(stateDir, "agent.yaml"), "--insecure-files"],
    logFile,
  });

/** The journal's lines. */
export function readJournal(stateDir: string): Record<string, unknown>[] {
  const text = readFileSync(join(stateDir, "journal", "journal.jsonl"), "utf8");
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
