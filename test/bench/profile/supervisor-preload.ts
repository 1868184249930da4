/**
 * Loaded into a supervisor before its own code, for profiles only: its executors are started without the permission
 * model, which would forbid them to write the profile, and with the flags that make one.
 */
import childProcess, { type SpawnOptions } from "node:child_process";
import { syncBuiltinESMExports } from "node:module";

const EXECUTOR_PRELOAD = new URL("./executor-preload.ts", import.meta.url).href;
const folder = process.env.BENCH_PROFILES ?? "";
const { spawn } = childProcess;

childProcess.spawn = ((command: string, args: readonly string[], options: SpawnOptions) => {
  const given = args.filter((flag) => flag !== "--permission" && !flag.startsWith("--allow-"));
  const module = given.pop() ?? "";
  const flags = ["--cpu-prof", `--cpu-prof-dir=${folder}/executor`, `--import=${EXECUTOR_PRELOAD}`];
  return spawn(command, [...given, ...flags, module], options);
}) as typeof spawn;
syncBuiltinESMExports();
