/**
 * Processes of the stack. Ctrl-C reaches only us, and we end them in order. None outlives us, whatever kills us: the kernel
 * sees to that where it can, and each has a pipe as its standard input, which closes when we die.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { createInterface } from "node:readline";
import { bound } from "../emulators/processes/bound.ts";

export interface ChildOptions {
  readonly name: string;
  /** What is run, with what stands before `args`; this Node, unless something else is said. */
  readonly program?: readonly [string, ...string[]];
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Written to standard input, followed by a newline; the pipe stays open. */
  readonly input?: string;
  /** Where its standard error goes. */
  readonly logFile: string;
}

export interface Child {
  readonly process: ChildProcess;
  /** The first line of its standard output, as JSON. */
  readonly ready: Promise<unknown>;
  /** Rejects when it ends; for races with what it should have done by then. */
  readonly ended: Promise<never>;
  /** Asks it to end, and after a while makes it. */
  close(): Promise<void>;
}

const CLOSE_MS = 8_000;

export function startChild(options: ChildOptions): Child {
  const [program, ...before] = options.program ?? [process.execPath, "--disable-warning=ExperimentalWarning"];
  const { command, args, detached } = bound(program, [...before, ...options.args]);
  const child = spawn(command, args, {
    detached,
    env: { ...childEnvironment(), ...options.env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  child.stderr.pipe(createWriteStream(options.logFile, { flags: "a", mode: 0o600 }));
  child.stdin.on("error", () => undefined); // it may end before it has read
  if (options.input !== undefined) child.stdin.write(`${options.input}\n`);
  const exited = once(child, "exit");
  const ready = new Promise<unknown>((resolve, reject) => {
    createInterface({ input: child.stdout }).once("line", (line) => resolve(JSON.parse(line)));
    void exited.then(() => reject(new Error(`${options.name} ended while starting; see ${options.logFile}`)));
  });
  const ended = exited.then(() => Promise.reject(new Error(`${options.name} ended; see ${options.logFile}`)));
  for (const promise of [ready, ended]) promise.catch(() => undefined); // reported where they are awaited
  return {
    process: child,
    ready,
    ended,
    close: async () => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGTERM");
      const force = setTimeout(() => child.kill("SIGKILL"), CLOSE_MS);
      await exited;
      clearTimeout(force);
    },
  };
}

/** What children get of our environment: where programs are, and where temporary files go. */
export function childEnvironment(): Record<string, string> {
  const { PATH = "", TMPDIR } = process.env;
  return { PATH, ...(TMPDIR === undefined ? {} : { TMPDIR }) };
}
