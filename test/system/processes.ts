/** What the system knows about processes, from /proc. Every question about one that has gone answers as if it had nothing. */
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";

const POLL_MS = 10;

const read = (pid: number, file: string): string => {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
};

export const commandLine = (pid: number): string[] => read(pid, "cmdline").split("\0").slice(0, -1);
/** `NAME=value`, as the process was started. */
export const environment = (pid: number): string[] => read(pid, "environ").split("\0").filter(Boolean);
export const status = (pid: number): string => read(pid, "status");
export const limits = (pid: number): string => read(pid, "limits");

/** Where a descriptor leads; undefined where it is closed. */
export function descriptor(pid: number, fd: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/fd/${fd}`);
  } catch {
    return undefined;
  }
}

export const workingFolder = (pid: number): string => readlinkSync(`/proc/${pid}/cwd`);

/** Resident memory in bytes. */
export const residentBytes = (pid: number): number => Number(/^VmRSS:\s+(\d+) kB$/m.exec(status(pid))?.[1] ?? 0) * 1024;

const parentOf = (pid: number): number => Number(/^PPid:\s+(\d+)$/m.exec(status(pid))?.[1] ?? 0);

export const allProcesses = (): number[] =>
  readdirSync("/proc")
    .filter((name) => /^[0-9]+$/.test(name))
    .map(Number);

export const childrenOf = (pid: number): number[] => allProcesses().filter((each) => parentOf(each) === pid);

/** Children and theirs. */
export const descendantsOf = (pid: number): number[] =>
  childrenOf(pid).flatMap((child) => [child, ...descendantsOf(child)]);

/** True also of a process that has ended and was not yet waited for. */
export const hasEnded = (pid: number): boolean => /^State:\s+[ZX]/m.test(status(pid)) || status(pid) === "";

/** Nobody is told of what happens in other processes, so it is looked for. @throws after `withinMs`, naming what was awaited. */
export async function until<T>(
  what: string,
  look: () => T | Promise<T>,
  withinMs = 60_000,
): Promise<NonNullable<Exclude<T, false>>> {
  const endMs = performance.now() + withinMs;
  for (;;) {
    const seen = await look();
    if (seen) return seen as NonNullable<Exclude<T, false>>;
    if (performance.now() > endMs) throw new Error(`waited in vain: ${what}`);
    await pause(POLL_MS);
  }
}

export const gone = (pid: number): Promise<true> => until(`process ${pid} ends`, () => hasEnded(pid)) as Promise<true>;

/** Ends a child of ours and waits for its end; of one that has ended, or was never started, there is nothing to do. */
export async function stopChild(child: ChildProcess | undefined, signal: NodeJS.Signals): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill(signal);
  await exited;
}

/** Holds a process still while `act` looks at it. */
export async function held<T>(pid: number, act: () => T): Promise<T> {
  process.kill(pid, "SIGSTOP");
  try {
    await until(`process ${pid} stops`, () => /^State:\s+T/im.test(status(pid)));
    return act();
  } finally {
    process.kill(pid, "SIGCONT");
  }
}
