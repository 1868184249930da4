/** Executor processes: one for each session, forked ahead of need, watched from outside, never used twice. */
import { type ChildProcess, fork } from "node:child_process";
import type { Logger } from "pino";
import { type ToExecutor, type ToSupervisor, toSupervisor } from "../executor/messages.ts";
import { canDumpCore, residentBytes } from "./confinement.ts";
import { executorCommand } from "./executor-command.ts";

const WATCH_EVERY_MS = 250;

/** Why the supervisor killed an executor. */
export type KillReason = "memory" | "core" | "deadline" | "protocol" | "shutdown";

export interface ExecutorExit {
  readonly exitCode: number | null;
  readonly killed: KillReason | undefined;
}

export interface Executor {
  readonly pid: number;
  /** True until the process has ended. */
  readonly alive: boolean;
  readonly ready: Promise<boolean>;
  readonly exited: Promise<ExecutorExit>;
  send(message: ToExecutor): void;
  /** Sets who hears the executor; a message that is not of the closed list kills it. */
  onMessage(listener: (message: ToSupervisor) => void): void;
  kill(reason: KillReason): void;
}

export interface ExecutorPool {
  /** A warm executor, or one that is being started. It belongs to the caller until it exits. */
  take(): Executor;
  /** Kills all, those in use too, and settles when they are gone. */
  close(): Promise<void>;
}

export interface PoolOptions {
  /** Resident bytes above which an executor is killed. */
  readonly memoryBytes: number;
  /** How many are kept warm. */
  readonly warm: number;
  readonly log: Logger;
}

const MIB = 2 ** 20;
/** What an executor's process needs beside the heap: code, buffers of a batch, sockets. */
const BESIDE_HEAP_MIB = 128;

export function createExecutorPool(options: PoolOptions): ExecutorPool {
  const command = executorCommand(Math.max(64, Math.floor(options.memoryBytes / MIB) - BESIDE_HEAP_MIB));
  for (const tool of command.missing) {
    options.log.warn({ tool }, "not found: executors run without what it gives (no core dumps, no orphans)");
  }
  if (residentBytes(process.pid) === undefined) {
    options.log.warn("no /proc here: executors' memory is bounded by their heap limit only");
  }
  const all = new Set<Executor>();
  const warm: Executor[] = [];
  let closed = false;
  let starting = false;

  const start = (): Executor => {
    const executor = startExecutor(command, options);
    all.add(executor);
    void executor.exited.then(() => {
      all.delete(executor);
      const index = warm.indexOf(executor);
      if (index !== -1) warm.splice(index, 1);
    });
    return executor;
  };
  // One at a time: two that start together would both be late for the first session.
  const refill = (): void => {
    if (closed || starting || warm.length >= options.warm) return;
    starting = true;
    const executor = start();
    warm.push(executor);
    void executor.ready.then((ready) => {
      starting = false;
      if (ready) refill();
    });
  };
  refill();
  return {
    take() {
      const executor = warm.find((each) => each.alive) ?? start();
      const index = warm.indexOf(executor);
      if (index !== -1) warm.splice(index, 1);
      // Not at once: a new process would take the processor from the session that begins now.
      void executor.exited.then(refill);
      setTimeout(refill, WATCH_EVERY_MS).unref();
      return executor;
    },
    async close() {
      closed = true;
      const gone = [...all].map((executor) => executor.exited);
      for (const executor of all) executor.kill("shutdown");
      await Promise.all(gone);
    },
  };
}

function startExecutor(command: ReturnType<typeof executorCommand>, options: PoolOptions): Executor {
  const child: ChildProcess = fork(command.module, [], {
    execPath: command.execPath,
    execArgv: [...command.execArgv],
    env: cleanEnvironment(),
    // An uncaught error's text may hold a credential, so nothing that it prints goes anywhere.
    stdio: ["ignore", "ignore", "ignore", "ipc"],
    serialization: "json",
  });
  const exited = Promise.withResolvers<ExecutorExit>();
  const ready = Promise.withResolvers<boolean>();
  let killed: KillReason | undefined;
  let listener: ((message: ToSupervisor) => void) | undefined;

  const kill = (reason: KillReason): void => {
    if (!executor.alive) return;
    killed ??= reason;
    child.kill("SIGKILL");
  };
  const watch = setInterval(() => {
    const bytes = residentBytes(child.pid ?? 0);
    if (bytes !== undefined && bytes > options.memoryBytes) kill("memory");
  }, WATCH_EVERY_MS);

  child.on("message", (raw) => {
    const parsed = toSupervisor.safeParse(raw);
    if (!parsed.success) return kill("protocol");
    if (parsed.data.say !== "ready") return listener === undefined ? kill("protocol") : listener(parsed.data);
    // Only now the wrapping tools have become node, with the limits that it keeps.
    if (canDumpCore(child.pid ?? 0) === true && !command.missing.includes("prlimit")) return kill("core");
    ready.resolve(true);
  });
  const end = (exitCode: number | null): void => {
    if (!executor.alive) return;
    executor.alive = false;
    clearInterval(watch);
    ready.resolve(false);
    exited.resolve({ exitCode, killed });
  };
  child.on("exit", (code) => end(code));
  child.on("error", (error) => {
    options.log.error({ why: error.message }, "an executor could not be started or reached");
    if (child.pid === undefined) end(null);
  });

  const executor = {
    pid: child.pid ?? 0,
    alive: true,
    ready: ready.promise,
    exited: exited.promise,
    send(message: ToExecutor) {
      if (executor.alive && child.connected) child.send(message, () => {});
    },
    onMessage(next: (message: ToSupervisor) => void) {
      listener = next;
    },
    kill,
  };
  return executor;
}

/** Nothing of ours: no path, no proxy, no option for Node. Windows itself needs its system folder. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const systemRoot = process.env.SystemRoot;
  return process.platform === "win32" && systemRoot !== undefined ? { SystemRoot: systemRoot } : {};
}
