/** Suites in processes of their own, several at a time: most of what a suite takes is waiting. */
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { SUMMARY, type Suite, type Tally } from "./suite.ts";

const MAIN = fileURLToPath(new URL("main.ts", import.meta.url));

/** @param jobs how many at a time. What a suite says is told when it has ended. */
export async function runSideBySide(
  suites: readonly Suite[],
  jobs: number,
  options: readonly string[],
  say: (line: string) => void,
): Promise<Tally> {
  const waiting = [...suites];
  const tally = { passed: 0, failed: 0 };
  const work = async (): Promise<void> => {
    for (let suite = waiting.shift(); suite !== undefined; suite = waiting.shift()) {
      const startedMs = performance.now();
      const said = await inItsOwnProcess(suite.name, options);
      say(`${said.trimEnd()}, ${suite.name} in ${Math.round((performance.now() - startedMs) / 1000)} s`);
      const [, passed, failed] = SUMMARY.exec(said) ?? [];
      tally.passed += Number(passed ?? 0);
      // One that ends without its last line has failed, however far it came.
      tally.failed += Number(failed ?? 1);
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  return tally;
}

function inItsOwnProcess(name: string, options: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, [...process.execArgv, MAIN, name, ...options], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  const chunks: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => chunks.push(chunk));
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", () => resolve(Buffer.concat(chunks).toString("utf8")));
  });
}
