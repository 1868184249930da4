/**
 * Loaded into a supervisor before its own code, for profiles and the build only: its executors are started without the
 * permission model, which would forbid them to write what they are started for, and with the flags in `EXECUTOR_FLAGS`.
 */
import childProcess, { type SpawnOptions } from "node:child_process";
import { syncBuiltinESMExports } from "node:module";

const EXECUTOR_PRELOAD = new URL("./executor.ts", import.meta.url).href;
const flags = JSON.parse(process.env.EXECUTOR_FLAGS ?? "[]") as string[];
const { spawn } = childProcess;

childProcess.spawn = ((command: string, args: readonly string[], options: SpawnOptions) => {
  const given = args.filter((flag) => flag !== "--permission" && !flag.startsWith("--allow-"));
  const module = given.pop() ?? "";
  return spawn(command, [...given, `--import=${EXECUTOR_PRELOAD}`, ...flags, module], options);
}) as typeof spawn;
syncBuiltinESMExports();
