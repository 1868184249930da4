/** The supervisor's own process: flags and environment that confine it and keep it small, and its one big cleaning. */
import { commandLine, nodeArguments } from "../program.ts";

/** Without it an executor could send SIGUSR1 and open this process's inspector. */
const CONFINED = "--disable-sigusr1";

/**
 * A process that waits for years and does little at a time, beside others on somebody else's machine. Measured from the
 * bundle: with V8's defaults 84 MB resident and 35 MB private, with these 68 and 22.
 */
const SMALL = [
  // V8's own 16 MiB are filled once while modules are loaded, and stay.
  "--max-semi-space-size=1",
  // What it does is small; its compilers are not. Its cryptography is native anyway.
  "--no-sparkplug",
  "--no-maglev",
  "--no-opt",
  "--regexp-interpret-all",
  "--single-threaded",
  "--expose-gc",
];

/** Flags of Node's that it runs with. */
export const SUPERVISOR_FLAGS: readonly string[] = [CONFINED, "--disable-warning=ExperimentalWarning", ...SMALL];

/** glibc's malloc keeps what it once had, an arena a thread; other C libraries do not know these words (mallopt(3)). */
const OWN_ENVIRONMENT = { MALLOC_ARENA_MAX: "1", MALLOC_TRIM_THRESHOLD_: "65536", MALLOC_MMAP_THRESHOLD_: "65536" };

/** By then everything is loaded, and the first connection stands. */
const STARTED_MS = 3_000;

/** Replaces this process by itself with the flags it needs, where they were not given; same id, same files. */
export function becomeSupervisor(environment: NodeJS.ProcessEnv): void {
  const missing = SUPERVISOR_FLAGS.filter((flag) => !process.execArgv.includes(flag));
  if (missing.length === 0 || process.platform === "win32" || process.execve === undefined) return;
  process.removeAllListeners("warning");
  const flags = nodeArguments([...missing, ...process.execArgv]);
  process.execve(process.execPath, [process.execPath, ...flags, ...commandLine(), ...process.argv.slice(2)], {
    ...OWN_ENVIRONMENT,
    ...environment,
  } as Record<string, string>);
}

/** Once, after the start: what loading left behind would otherwise lie there until much more has come to it. */
export function cleanAfterStart(): void {
  setTimeout(() => {
    const { gc } = globalThis as { gc?: (options: object) => void };
    gc?.({ type: "major", execution: "sync", flavor: "last-resort" });
  }, STARTED_MS).unref();
}
