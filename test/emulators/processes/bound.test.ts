import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { boundNode } from "./bound.ts";

const MODULE = new URL("./bound.ts", import.meta.url).href;
/** Starts a bound process that does nothing for ever, and says which it is. */
const STARTER = `
  import { spawn } from "node:child_process";
  import { boundNode } from ${JSON.stringify(MODULE)};
  const { command, args, detached } = boundNode(["-e", "process.stdin.on('end', () => process.exit()).resume(); setInterval(() => {}, 1000); console.log(process.pid)"]);
  const child = spawn(command, args, { detached, stdio: ["pipe", "pipe", "inherit"] });
  child.stdout.on("data", (pid) => process.stdout.write(pid));
`;

test("a bound process runs Node, and ends with the one that started it, also by SIGKILL", async () => {
  const starter = spawn(process.execPath, ["--input-type=module", "-e", STARTER], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface({ input: starter.stdout });
  const [pid] = (await once(lines, "line")) as [string];
  process.kill(Number(pid), 0);
  starter.kill("SIGKILL");
  await once(starter, "exit");
  await assertGone(Number(pid));
});

test("arguments arrive as they are", async () => {
  const { command, args } = boundNode(["-p", "JSON.stringify(process.argv.slice(1))", "--", "a b", "--json"]);
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
  assert.deepEqual(JSON.parse(line), ["a b", "--json"]);
});

/** Waits for its end; who takes the orphans in may leave them as zombies. */
async function assertGone(pid: number): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (isRunning(pid)) {
    assert.ok(performance.now() < deadline, `process ${pid} is still there`);
    await pause(5);
  }
}

function isRunning(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")")).split(" ")[1] !== "Z";
  } catch {
    return false;
  }
}
