import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { atEnd } from "./open.ts";

const MAIN = fileURLToPath(new URL("../main.ts", import.meta.url));

export type EmulatorProcess = {
  readonly child: ChildProcess;
  readonly port: number;
  readonly connectionString: string;
  /** SIGKILL, and waits until it is dead. */
  kill(): Promise<void>;
};

export function spawnEmulator(t: TestContext): ChildProcess {
  const child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", MAIN], {
    stdio: ["pipe", "pipe", "pipe"],
  });
  atEnd(t, () => child.kill("SIGKILL"));
  return child;
}

/** Runs the emulator as a process and waits until it says that it is ready. */
export async function startProcess(t: TestContext, options: object): Promise<EmulatorProcess> {
  const child = spawnEmulator(t);
  child.stderr!.pipe(process.stderr);
  child.stdin!.write(`${JSON.stringify(options)}\n`);
  const [line] = await once(createInterface({ input: child.stdout! }), "line");
  return {
    child,
    ...JSON.parse(line),
    async kill() {
      const dead = once(child, "exit");
      child.kill("SIGKILL");
      await dead;
    },
  };
}
