/** Executor processes: one for each session, forked ahead of need, watched from outside, never used twice. */
import { type ChildProcess, spawn } from "node:child_process";
import type { Socket } from "node:net";
import { parseJson } from "@sallyport/shared/json.ts";
import type { Logger } from "pino";
import { encodeLine, PIPE_FD, readLines } from "../pipe/lines.ts";
import { MAX_LINE_BYTES, type ToExecutor, type ToSupervisor, toSupervisor } from "../pipe/messages.ts";
import { canDumpCore, residentBytes } from "./confinement.ts";
import { type ExecutorCommand, executorCommand } from "./executor-command.ts";

const WATCH_EVERY_MS = 250;
/** After an executor's end, for what it said before. */
const LAST_WORDS_MS = 1_000;

/** Why the supervisor killed an executor; `memory` also where V8 did. */
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
  /** What is started instead of an executor, and what is known of it: for tests. */
  readonly command?: ExecutorCommand;
  readonly confinement?: Confinement;
}

/** What the system says of a process. */
export interface Confinement {
  residentBytes(pid: number): number | undefined;
  canDumpCore(pid: number): boolean | undefined;
}

const MIB = 2 ** 20;
/** What an executor's process needs beside the heap: code, buffers of a batch, sockets. */
const BESIDE_HEAP_MIB = 128;

export function createExecutorPool(options: PoolOptions): ExecutorPool {
  const command =
    options.command ?? executorCommand(Math.max(64, Math.floor(options.memoryBytes / MIB) - BESIDE_HEAP_MIB));
  for (const tool of command.missing) {
    options.log.warn(
      { tool },
      "not found: executors run without what it gives (a core limit of 0, an end with their supervisor)",
    );
  }
  if (residentBytes(process.pid) === undefined) {
    options.log.warn(
      "no /proc here: executors' memory is bounded by their heap limit, and by a service host's job, only",
    );
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

function startExecutor(command: ExecutorCommand, options: PoolOptions): Executor {
  const confinement = options.confinement ?? { residentBytes, canDumpCore };
  let child: ChildProcess;
  try {
    child = spawn(command.execPath, [...command.execArgv, command.module], {
      env: cleanEnvironment(),
      // An uncaught error's text may hold a credential, so nothing that it prints goes anywhere. The fourth is ours to
      // talk over: Node's own channel takes a line of any length into memory.
      stdio: ["ignore", "ignore", "ignore", "pipe"],
    });
  } catch (error) {
    // Of no memory, or no right, Node tells at once and by no event.
    options.log.error({ why: (error as Error).message }, "an executor could not be started");
    return NEVER_STARTED;
  }
  // Without file descriptors there is none; the child's error tells of it.
  const pipe = child.stdio?.[PIPE_FD] as Socket | undefined;
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
    const bytes = confinement.residentBytes(child.pid ?? 0);
    if (bytes !== undefined && bytes > options.memoryBytes) kill("memory");
  }, WATCH_EVERY_MS);

  const onReady = () => {
    // Only now the wrapping tools have become node, with the limits that it keeps.
    if (confinement.canDumpCore(child.pid ?? 0) === true) {
      options.log.error(
        "an executor could dump core, with a credential in it, and was killed: set the core limit to 0 " +
          "(LimitCORE=0, ulimit -c 0), or install prlimit (util-linux)",
      );
      return kill("core");
    }
    ready.resolve(true);
  };
  let readied = false;
  const onLine = (text: string) => {
    const parsed = toSupervisor.safeParse(parseJson(text));
    if (!executor.alive || killed !== undefined) return;
    if (!parsed.success) return kill("protocol");
    if (parsed.data.say !== "ready") return listener === undefined ? kill("protocol") : listener(parsed.data);
    if (readied) return kill("protocol");
    readied = true;
    onReady();
  };
  if (pipe !== undefined) readLines(pipe, MAX_LINE_BYTES.toSupervisor, onLine, () => kill("protocol"));
  pipe?.on("error", () => {});
  const end = (exitCode: number | null): void => {
    if (!executor.alive) return;
    executor.alive = false;
    clearInterval(watch);
    ready.resolve(false);
    exited.resolve({ exitCode, killed });
  };
  // `close` comes after the last of what it said; a process that it left behind must not hold that up.
  child.on("exit", () => setTimeout(() => pipe?.destroy(), LAST_WORDS_MS).unref());
  child.on("close", (code, signal) => {
    // A heap that overflows aborts: V8's own kill for memory.
    if (signal === "SIGABRT") killed ??= "memory";
    end(code);
  });
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
      if (executor.alive && pipe?.writable === true) pipe.write(encodeLine(message), () => {});
    },
    onMessage(next: (message: ToSupervisor) => void) {
      listener = next;
    },
    kill,
  };
  return executor;
}

/** One that ended before it was. */
const NEVER_STARTED: Executor = {
  pid: 0,
  alive: false,
  ready: Promise.resolve(false),
  exited: Promise.resolve({ exitCode: null, killed: undefined }),
  send() {},
  onMessage() {},
  kill() {},
};

/**
 * Measured with 2.5 GB: glibc otherwise keeps buffers of sockets and batches in arenas of every thread, and the process
 * grows with the length of its result, from 230 MB to 255; so it gives them back, and stays at 213. Other C libraries
 * do not know these words (mallopt(3)).
 */
const MEMORY_GIVEN_BACK = { MALLOC_ARENA_MAX: "2", MALLOC_MMAP_THRESHOLD_: String(128 * 2 ** 10) };

/** Nothing of ours: no path, no proxy, no option for Node. Windows itself needs its system folder. */
function cleanEnvironment(): NodeJS.ProcessEnv {
  if (process.platform === "linux") return MEMORY_GIVEN_BACK;
  const systemRoot = process.env.SystemRoot;
  return process.platform === "win32" && systemRoot !== undefined ? { SystemRoot: systemRoot } : {};
}
