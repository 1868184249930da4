/** The pool against processes that say what no executor says. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Confinement, createExecutorPool } from "./executors.ts";

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), "sallyport-executors-"));
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** A pool of processes that run this script; `say` writes to the supervisor. */
function poolOf(script: string, confinement: Confinement = { residentBytes: () => 1, canDumpCore: () => false }) {
  const module = join(folder, `${script.length}-${Math.random()}.mjs`);
  const pipe = 'const pipe = new (await import("node:net")).Socket({ fd: 3 }); pipe.on("error", () => {});';
  writeFileSync(module, `${pipe} const say = (text) => pipe.write(text); pipe.resume(); ${script}`);
  const errors: string[] = [];
  const pool = createExecutorPool({
    memoryBytes: 2 ** 30,
    warm: 0,
    log: { warn: () => {}, error: (...words: unknown[]) => errors.push(String(words.at(-1))) } as never,
    command: { execPath: process.execPath, execArgv: [], module, missing: [] },
    confinement,
  });
  return { pool, errors };
}

const READY = String.raw`'{"say":"ready"}\n'`;
const KEY = String.raw`JSON.stringify({ say: "key", key: "A".repeat(1622) }) + "\n"`;

for (const [what, script] of [
  ["is ready twice", `say(${READY}); say(${READY});`],
  ["begins a line that never ends", `say(${READY}); setInterval(() => say("x".repeat(4096)), 1);`],
  ["says what is no JSON", 'say("ready\\n");'],
  ["floods with empty lines", 'say("\\n".repeat(100000));'],
  ["speaks before anyone asked", `say(${READY}); say(${KEY});`],
] as const) {
  test(`a process that ${what} is killed`, async () => {
    const { pool } = poolOf(script);
    assert.deepEqual(await pool.take().exited, { exitCode: null, killed: "protocol" });
    await pool.close();
  });
}

test("a line that never ends costs the supervisor no memory", async () => {
  const { pool } = poolOf('for (;;) if (!say("x".repeat(1 << 20))) await new Promise((go) => pipe.once("drain", go));');
  const before = process.memoryUsage().rss;
  assert.equal((await pool.take().exited).killed, "protocol");
  assert.ok(process.memoryUsage().rss - before < 64 * 2 ** 20);
  await pool.close();
});

test("what it said before its end is heard before its end", async () => {
  const { pool } = poolOf(`say(${READY}); pipe.write(${KEY}, () => process.exit(3));`);
  const executor = pool.take();
  const heard: string[] = [];
  executor.onMessage(({ say }) => heard.push(say));
  assert.equal((await executor.exited).killed, undefined);
  assert.deepEqual(heard, ["key"]);
  await pool.close();
});

test("a process that can dump core is killed, wherever that comes from, and the log says what to do", async () => {
  const { pool, errors } = poolOf(`say(${READY});`, { residentBytes: () => 1, canDumpCore: () => true });
  const executor = pool.take();
  assert.deepEqual(await executor.exited, { exitCode: null, killed: "core" });
  assert.equal(await executor.ready, false);
  assert.match(errors.join(), /LimitCORE=0/);
  await pool.close();
});

test("one that the system refuses to start has ended, and costs the supervisor nothing", async () => {
  const errors: string[] = [];
  const pool = createExecutorPool({
    memoryBytes: 2 ** 30,
    warm: 1,
    log: { warn: () => {}, error: (...words: unknown[]) => errors.push(String(words.at(-1))) } as never,
    // What Node throws instead of telling.
    command: { execPath: "node\0", execArgv: [], module: "none", missing: [] },
  });
  const executor = pool.take();
  assert.deepEqual(await executor.exited, { exitCode: null, killed: undefined });
  assert.deepEqual([executor.alive, await executor.ready], [false, false]);
  assert.ok(errors.includes("an executor could not be started"));
  await pool.close();
});
