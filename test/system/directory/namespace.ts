/**
 * Runs checks in a network namespace of their own, with nothing but a loopback: a domain controller's ports (389, 636, 88)
 * cannot be moved, and there nobody else has them. Where no namespace may be made, the checks run where they are.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { z } from "zod";
import type { Check } from "../suite.ts";

/** What a check in there says of itself, one JSON text a line. */
const told = z.strictObject({ check: z.string(), failed: z.string().optional() });

const UP_AND_RUN = 'ip link set lo up && exec "$0" "$@"';

/** @param module has the checks; it calls `tellingCheck` */
export async function runInNamespace(module: string, args: readonly string[], check: Check): Promise<void> {
  const node = [process.execPath, "--disable-warning=ExperimentalWarning", module, ...args];
  const command = mayUnshare() ? ["unshare", "--net", "sh", "-c", UP_AND_RUN, ...node] : node;
  const child = spawn(command[0]!, command.slice(1), { stdio: ["ignore", "pipe", "inherit"] });
  const stop = (): void => {
    child.kill("SIGTERM");
  };
  process.once("SIGINT", stop);
  try {
    const ended = endOf(child);
    for await (const line of createInterface({ input: child.stdout })) {
      const { check: name, failed } = told.parse(JSON.parse(line));
      await check(name, () => {
        if (failed !== undefined) throw new Error(failed);
      });
    }
    const code = await ended;
    if (code !== 0) throw new Error(`${module} ended with ${code}`);
  } finally {
    process.off("SIGINT", stop);
  }
}

const endOf = (child: ChildProcess): Promise<number | string> =>
  new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code, signal) => resolve(code ?? signal ?? "nothing"));
  });

function mayUnshare(): boolean {
  try {
    execFileSync("unshare", ["--net", "ip", "link", "set", "lo", "up"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

/** The check of whoever runs in there. */
export const tellingCheck: Check = async (name, act) => {
  const startedMs = performance.now();
  const seconds = (): string => `${((performance.now() - startedMs) / 1000).toFixed(1)} s in there`;
  try {
    await act();
    process.stdout.write(`${JSON.stringify({ check: `${name}: ${seconds()}` })}\n`);
    return true;
  } catch (thrown) {
    const failed = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
    process.stdout.write(`${JSON.stringify({ check: name, failed })}\n`);
    return false;
  }
};
