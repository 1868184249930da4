/** Runs a command under `strace`, in a way that its process stays its own. */
import { readFileSync } from "node:fs";
import { until } from "../processes.ts";

/**
 * The wrapper of a command: records `calls` of it and of all its children into `file`, without the bytes they send. The
 * tracer is a grandchild (`-D`), so that signals and the process id are the command's; other calls are not slowed.
 */
export const strace = (file: string, calls: string, ...options: readonly string[]): string[] => [
  "strace",
  ...["-D", "-f", "--seccomp-bpf", "-q", "-s", "0", "-e", `trace=${calls}`],
  ...options,
  ...["-o", file, "--"],
];

/** The whole text of a trace, once all processes in it have ended. */
export async function traced(file: string): Promise<string> {
  let text = "";
  await until(`the trace ${file} is complete`, () => {
    text = readFileSync(file, "utf8");
    return isComplete(text);
  });
  return text;
}

/** Whether each process of a trace has its line about its end. */
export function isComplete(text: string): boolean {
  const open = new Set<string>();
  for (const [, pid, end] of text.matchAll(/^(\d+)\s+(\+\+\+ (?:exited|killed))?/gm)) {
    if (end === undefined) open.add(pid!);
    else open.delete(pid!);
  }
  return text.endsWith("\n") && open.size === 0;
}
