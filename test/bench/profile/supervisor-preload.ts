/**
 * Loaded into a supervisor before its own code, for profiles only: its executors are started without the permission
 * model, which would forbid them to write the profile, and with the flags that make one.
 */
import childProcess, { type ForkOptions } from "node:child_process";
import { syncBuiltinESMExports } from "node:module";

const EXECUTOR_PRELOAD = new URL("./executor-preload.ts", import.meta.url).href;
const folder = process.env.BENCH_PROFILES ?? "";
const { fork } = childProcess;

childProcess.fork = ((module: string, args: readonly string[], options: ForkOptions) => {
  const given = (options.execArgv ?? []).filter((flag) => flag !== "--permission" && !flag.startsWith("--allow-"));
  const execArgv = [...given, "--cpu-prof", `--cpu-prof-dir=${folder}/executor`, `--import=${EXECUTOR_PRELOAD}`];
  return fork(module, args, { ...options, execArgv });
}) as typeof fork;
syncBuiltinESMExports();
