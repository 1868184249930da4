import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { ConfigError, NotNowError } from "../config-error.ts";
import { holdState } from "./hold.ts";

let root: string;
let hold: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "sallyport-hold-"));
  hold = join(root, "agent.lock");
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** Says `held`, and stays until its input ends; or what it was refused with. */
const HOLDER = `
import { holdState } from ${JSON.stringify(new URL("./hold.ts", import.meta.url).href)};
const [root, hold] = process.argv.slice(1);
try {
  globalThis.release = holdState({ root, hold });
  process.stdout.write("held\\n");
  process.stdin.resume();
} catch (error) {
  process.stdout.write(error.name + "\\n");
}
`;

async function start(): Promise<{ readonly child: ChildProcess; readonly said: string }> {
  const child = spawn(
    process.execPath,
    ["--disable-warning=ExperimentalWarning", "--input-type=module", "--eval", HOLDER, root, hold],
    { stdio: ["pipe", "pipe", "inherit"] },
  );
  const [said] = (await once(child.stdout!, "data")) as [Buffer];
  return { child, said: String(said).trim() };
}

async function end(child: ChildProcess, how: () => void): Promise<void> {
  const ended = child.exitCode === null ? once(child, "exit") : undefined;
  how();
  await ended;
}

test("of many that start at once one has the folder; killed, it leaves it to the next", async () => {
  for (let life = 0; life < 2; life += 1) {
    const started = await Promise.all(Array.from({ length: 5 }, start));
    const said = started.map((each) => each.said).sort();
    assert.deepEqual(said, ["NotNowError", "NotNowError", "NotNowError", "NotNowError", "held"]);
    assert.throws(() => holdState({ root, hold }), NotNowError);
    await Promise.all(started.map(({ child }) => end(child, () => child.kill("SIGKILL"))));
  }
  holdState({ root, hold })();
});

test("one process has it once, until it gives it back; the file stays empty and alone", () => {
  const release = holdState({ root, hold });
  assert.throws(() => holdState({ root, hold }), {
    name: "NotNowError",
    message: `an agent is already running on ${root}`,
  });
  release();
  release();
  holdState({ root, hold })();
  const { size, mode } = statSync(hold);
  assert.deepEqual([readdirSync(root), size], [["agent.lock"], 0]);
  if (process.platform !== "win32") assert.equal(mode & 0o777, 0o600);
});

test("something else in its place is said, and is not an agent that runs", () => {
  writeFileSync(hold, "something else, of somebody else's\n");
  assert.throws(
    () => holdState({ root, hold }),
    (error) => error instanceof ConfigError && error.message.includes(hold),
  );
  assert.throws(() => holdState({ root, hold: join(root, "gone", "agent.lock") }), NotNowError);
});
