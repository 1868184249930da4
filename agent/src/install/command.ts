/** The system's own commands that an installation needs: accounts and services are theirs to change. */
import { spawnSync } from "node:child_process";
import { searchPath } from "../config.ts";
import { ConfigError } from "../config-error.ts";

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end; undefined where the system has none of that name. */
export type Run = (command: string, args: readonly string[], input?: string) => Ran | undefined;

const WITHIN_MS = 120_000;

export const run: Run = (command, args, input) => {
  const { error, status, stdout, stderr } = spawnSync(command, args, {
    input: input ?? "",
    encoding: "utf8",
    timeout: WITHIN_MS,
    env: { PATH: searchPath(), LC_ALL: "C", SYSTEMD_PAGER: "cat" },
  });
  if ((error as NodeJS.ErrnoException | undefined)?.code === "ENOENT") return undefined;
  return { code: status ?? 1, stdout, stderr: error === undefined ? stderr : error.message };
};

/** Its output. @throws ConfigError with what the command said, where it fails or is missing */
export function must(run: Run, command: string, args: readonly string[], input?: string): string {
  const ran = run(command, args, input);
  if (ran === undefined) throw new ConfigError(`this system has no ${command}`);
  if (ran.code === 0) return ran.stdout;
  const said = ran.stderr.trim().split("\n").at(-1) ?? "";
  throw new ConfigError(`${[command, ...args].join(" ")} ended with ${ran.code}${said === "" ? "" : `: ${said}`}`);
}
