/** An agent as its owner installs it: enrolled with a code, given a policy, run as a process. */
import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { boundNode } from "../emulators/processes/bound.ts";
import { type Child, childEnvironment, startChild } from "./children.ts";
import { type Program, SOURCES } from "./program.ts";

export interface AgentOptions {
  readonly stateDir: string;
  readonly origin: string;
  readonly code: string;
  readonly caFile: string;
  readonly rendezvousHost: string;
  readonly policy: string;
  readonly logFile: string;
  readonly program: Program;
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

/** Runs one command of `sallyport`, from sources, to its end, with `input` as its standard input. */
export const sallyport = (args: readonly string[], input = ""): Promise<CommandResult> =>
  runCommand(SOURCES, args, input, new AbortController().signal);

async function runCommand(
  program: Program,
  args: readonly string[],
  input: string,
  signal: AbortSignal,
): Promise<CommandResult> {
  const node = boundNode(["--disable-warning=ExperimentalWarning", program.sallyport, ...args]);
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
  const enrolled = await runCommand(
    options.program,
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
  return { id: agent, stateDir: options.stateDir, ...runAgent(options.stateDir, options.logFile, options.program) };
}

/** `sallyport run` on an enrolled state folder. Its own account may write its policy here, which a service's may not. */
export const runAgent = (stateDir: string, logFile: string, program: Program = SOURCES): Child =>
  startChild({ name: "agent", args: [program.sallyport, ...runArguments(stateDir)], logFile });

export const runArguments = (stateDir: string): string[] => [
  ...["run", "--config", join(stateDir, "agent.yaml"), "--insecure-files"],
];

/** The journal's lines. */
export function readJournal(stateDir: string): Record<string, unknown>[] {
  const text = readFileSync(join(stateDir, "journal", "journal.jsonl"), "utf8");
  return text
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}
