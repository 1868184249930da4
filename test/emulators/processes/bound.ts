/**
 * Commands for processes that must not outlive the one that starts them, whatever ends that one: on Linux the kernel kills
 * them (`prctl(2)`, PR_SET_PDEATHSIG), through `setpriv` of util-linux. Elsewhere they end when their standard input does.
 */
import { spawnSync } from "node:child_process";

export interface BoundCommand {
  readonly command: string;
  readonly args: readonly string[];
  /**
   * Whether the process may lead a process group of its own, out of reach of the terminal's Ctrl-C, so that its starter
   * ends things in order: only where it cannot be left behind.
   */
  readonly detached: boolean;
}

const WRAPPER = ["setpriv", "--pdeathsig", "KILL", "--"] as const;
let wraps: boolean | undefined;

/** The command that runs Node with these arguments. */
export const boundNode = (args: readonly string[]): BoundCommand => bound(process.execPath, args);

/** The command that runs this program with these arguments. */
export function bound(program: string, args: readonly string[]): BoundCommand {
  const [tool, ...flags] = WRAPPER;
  // Asked once, by trying: some systems have a `setpriv` without this flag.
  wraps ??= process.platform === "linux" && spawnSync(tool, [...flags, "true"], { stdio: "ignore" }).status === 0;
  return wraps
    ? { command: tool, args: [...flags, program, ...args], detached: true }
    : { command: program, args, detached: false };
}
