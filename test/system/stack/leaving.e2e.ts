/** `npm start` can be left at any moment: nothing of it stays but its folder. */
import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { call } from "../../stack/https.ts";
import { type Demo, type DemoExit, startDemo } from "./demo-process.ts";
import { type Held, processWith, untilNothingIsLeft } from "./process-tree.ts";

const JOURNAL = "agent/journal/journal.jsonl";
const LOOPBACK = new Set(["0100007F", "00000000000000000000000001000000"]);

async function begin(t: TestContext, args: readonly string[] = []): Promise<Demo> {
  const demo = await startDemo(args);
  t.after(() => demo.remove());
  return demo;
}

/** A request has come to the agent: rows are on their way. */
async function pulling(demo: Demo): Promise<void> {
  await demo.line(/first run: everything/);
  const journal = join(demo.folder()!, JOURNAL);
  await demo.file(JOURNAL, () => readFileSync(journal, "utf8").includes(`"event":"request"`));
}

/** Nothing is left, nothing lies outside its folder, and nobody was told of errors. */
async function assertLeft(demo: Demo, held: Held, exit: DemoExit, code: number): Promise<void> {
  assert.deepEqual([exit.code, exit.stderr], [code, ""]);
  for (const { address } of held.listening) assert.ok(LOOPBACK.has(address), `it listened on ${address}`);
  await untilNothingIsLeft(held, demo.folder());
  assert.deepEqual(demo.strays(), []);
}

describe("npm start, left by Ctrl-C", { concurrency: 2, timeout: 300_000 }, () => {
  const moments: Record<string, { until(demo: Demo): Promise<unknown>; processes: number; ports: number }> = {
    "right after it was called": { until: async () => undefined, processes: 1, ports: 0 },
    "while the emulators start": { until: (demo) => demo.line(/starting: emulators/), processes: 1, ports: 0 },
    "while the function app starts": { until: (demo) => demo.line(/starting: function app/), processes: 3, ports: 7 },
    "during the pull": { until: pulling, processes: 6, ports: 8 },
  };
  for (const [name, { until, processes, ports }] of Object.entries(moments)) {
    it(name, async (t) => {
      const demo = await begin(t);
      await until(demo);
      const held = demo.held();
      assert.ok(held.processes.size >= processes, `only ${held.processes.size} processes`);
      assert.ok(held.listening.length >= ports, `only ${held.listening.length} ports`);
      demo.interrupt();
      await assertLeft(demo, held, await demo.ended, 130);
    });
  }

  it("while the agent enrols, by SIGTERM", async (t) => {
    const demo = await begin(t);
    await demo.line(/starting: agent/);
    const held = demo.held();
    demo.kill("SIGTERM");
    await assertLeft(demo, held, await demo.ended, 143);
  });

  it("during the pull, by a signal that nobody can hear: the kernel ends what it has started", async (t) => {
    const demo = await begin(t);
    await pulling(demo);
    const held = demo.held();
    demo.kill("SIGKILL");
    await demo.ended;
    await untilNothingIsLeft(held, demo.folder());
    assert.deepEqual(demo.strays(), []);
  });

  it("while two stay side by side: one ends alone, by a second Ctrl-C as by one; the other when its agent is gone", async (t) => {
    const [one, other] = await Promise.all([begin(t), begin(t)]);
    await Promise.all([one.line(/Ctrl-C ends it/), other.line(/Ctrl-C ends it/)]);
    const [heldByOne, heldByOther] = [one.held(), other.held()];
    one.interrupt();
    await one.line(/Stopping/);
    one.interrupt();
    await assertLeft(one, heldByOne, await one.ended, 0);
    const { origin, caFile } = JSON.parse(readFileSync(join(other.folder()!, "access.json"), "utf8"));
    const health = await call(`${origin}/api/health`, { ca: readFileSync(caFile, "utf8") });
    assert.equal(health.status, 200);
    process.kill(processWith(heldByOther, join(other.folder()!, "agent", "agent.yaml")), "SIGKILL");
    const { code, stderr } = await other.ended;
    assert.equal(code, 1);
    assert.match(stderr, /^agent ended; see .*agent\.log\nLogs are in .*\n$/);
    await untilNothingIsLeft(heldByOther, other.folder());
    assert.deepEqual(other.strays(), []);
  });
});

describe("npm start -- --once --json", { timeout: 300_000 }, () => {
  it("ends by itself, with one JSON object as the last line that names files which are there", async (t) => {
    const demo = await begin(t, ["--once", "--json"]);
    const { code, lines, stderr } = await demo.ended;
    assert.deepEqual([code, stderr, lines.length], [0, "", 1]);
    const result = JSON.parse(lines[0]!);
    t.after(() => rmSync(join(result.journal, "../../.."), { recursive: true, force: true }));
    const { runs, directory, ...first } = result;
    assert.equal(typeof directory, "object");
    assert.deepEqual(Object.keys(first), ["rows", "bytes", "seconds", "run", "manifest", "parts", "journal"]);
    assert.deepEqual([first.rows, runs.length, runs[0].rows, runs[1].rows], [20_000, 2, 20_000, 1000]);
    assert.equal(first.run, runs[0].run);
    const files = [
      first.journal,
      ...runs.flatMap((run: { manifest: string; parts: string[] }) => [run.manifest, ...run.parts]),
    ];
    for (const file of files) assert.ok(existsSync(file), `${file} is not there`);
    assert.deepEqual(demo.strays(), []);
  });
});
