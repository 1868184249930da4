/** `sallyportctl` as a person runs it: a process with an environment, its outputs piped. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../../cloud/src/cli/main.ts", import.meta.url));

export interface Ran {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export type Environment = Readonly<Record<string, string>>;

export function startCtl(args: readonly string[], env: Environment, input = ""): ChildProcess {
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", MAIN, ...args], {
    env: { ...env },
    stdio: "pipe",
  });
  child.stdin.on("error", () => undefined); // it may end before it has read
  child.stdin.end(input);
  return child;
}

/** Runs it to its end; only `env` is in its environment. */
export async function runCtl(args: readonly string[], env: Environment, input = ""): Promise<Ran> {
  const child = startCtl(args, env, input);
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout!),
    text(child.stderr!),
    once(child, "exit") as Promise<[number | null]>,
  ]);
  return { exitCode: code ?? -1, stdout, stderr };
}
