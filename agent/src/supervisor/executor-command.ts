/** The command that starts an executor: which flags confine it, and which of the system's tools wrap it. */
import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import { EXECUTOR_MODULE, nodeArguments, READABLE } from "../program.ts";

/** What an executor is run from. */
export interface ExecutorProgram {
  readonly module: string;
  /** Files and folders that it may read. */
  readonly readable: readonly string[];
}

export interface ExecutorCommand {
  readonly execPath: string;
  readonly execArgv: readonly string[];
  readonly module: string;
  /** What this machine lacks, in words for the log. */
  readonly missing: readonly string[];
}

/**
 * Measured: buffers of sockets and batches live outside the heap, so with V8's own 16 MiB hundreds of them die before
 * it looks, and what it then collects is everything: a quarter more CPU and half more memory for the same rows.
 */
const YOUNG_MIB = 4;

/**
 * Flags are always given explicitly: an unrestricted parent hands none on. `node:sqlite` writes files in spite of
 * `--permission`, and SIGUSR1 would open an inspector; both are off.
 * @param heapMegabytes bounds the JavaScript heap only; the supervisor watches the whole process.
 */
export function executorCommand(
  heapMegabytes: number,
  platform: NodeJS.Platform = process.platform,
  { module, readable }: ExecutorProgram = { module: EXECUTOR_MODULE, readable: READABLE },
): ExecutorCommand {
  const node = [
    "--permission",
    ...readable.map((path) => `--allow-fs-read=${path}`),
    "--no-experimental-sqlite",
    "--disable-sigusr1",
    `--max-old-space-size=${heapMegabytes}`,
    `--max-semi-space-size=${YOUNG_MIB}`,
    // For sweep.ts.
    "--expose-gc",
  ];
  return { ...confined(node, platform), module };
}

/**
 * Node with these flags, without core dumps and ended with its parent, as far as this machine has the tools for it.
 * @param node flags of Node's own
 */
export function confined(
  node: readonly string[],
  platform: NodeJS.Platform = process.platform,
): Omit<ExecutorCommand, "module"> {
  if (platform !== "linux") {
    return { execPath: process.execPath, execArgv: nodeArguments(node), missing: ["prlimit and setpriv (Linux only)"] };
  }
  // The pipe to the executor stays open through both tools: they replace themselves and hand it on.
  const wrappers = [
    // A heap that overflows aborts, and an abort dumps a core with the credential in it.
    { tool: "prlimit", args: ["--core=0:0", "--"] },
    // A child in a loop survives its parent's SIGKILL otherwise.
    { tool: "setpriv", args: ["--pdeathsig", "KILL", "--no-new-privs", "--"] },
  ];
  const found = wrappers.map(({ tool, args }) => ({ tool, args, path: findTool(tool) }));
  const chain = found.flatMap(({ path, args }) => (path === undefined ? [] : [path, ...args]));
  const [execPath, ...execArgv] = [...chain, process.execPath, ...nodeArguments(node)] as [string, ...string[]];
  return {
    execPath,
    execArgv,
    missing: found.filter(({ path }) => path === undefined).map(({ tool }) => tool),
  };
}

const FOLDERS = ["/usr/bin", "/bin", "/usr/local/bin"];

function findTool(name: string): string | undefined {
  return FOLDERS.map((folder) => join(folder, name)).find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
