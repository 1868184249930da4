import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { splitRunId } from "../store/ids.ts";
import type { PullKey } from "../store/runs.ts";
import { testAzurite } from "../store/test-azurite.ts";
import { setPaused } from "./define.ts";
import { answer, type TestProcess, testRig } from "./test-rig.ts";
import { testSource } from "./test-source.ts";
import { tick } from "./tick.ts";
import { startRun } from "./views.ts";

const rig = await testRig(await testAzurite());
const freshness = { maxAgeSeconds: 3600 };

describe("the age of a pull's results", () => {
  /** What is told of this pull when so much time has passed. */
  const passes = async (process: TestProcess, { pull }: PullKey, seconds: number) => {
    process.advance(seconds * 1000);
    await tick(process, process.clock.now());
    return process.aged
      .splice(0)
      .filter((event) => event.pull === pull)
      .map(({ state }) => state);
  };
  const publish = async (process: TestProcess, key: PullKey) => {
    const run = await startRun(process, key.tenant, key.pull);
    await answer(process, key, splitRunId(run.id).run);
  };

  it("is told once when it is too great, also of a pull that never ran, and once when it is not any more", async () => {
    const process = rig.process(testSource(5));
    const key = await rig.pull(process, { freshness });
    assert.deepEqual(await passes(process, key, 3500), []);
    assert.deepEqual(await passes(process, key, 200), ["stale"]);
    assert.deepEqual(await passes(process, key, 3600), []);
    await publish(process, key);
    assert.deepEqual(await passes(process, key, 120), ["fresh"]);
    assert.deepEqual(await passes(process, key, 3000), []);
    assert.deepEqual(await passes(process, key, 600), ["stale"]);
    const { value } = (await process.store.runs.cursor(key))!;
    assert.deepEqual([value.freshness?.state, value.freshness?.told], ["stale", true]);
  });

  it("of a run without news counts as well, of one that failed not", async () => {
    const process = rig.process(testSource(0));
    const key = await rig.pull(process, { freshness });
    await passes(process, key, 3000);
    await publish(process, key);
    assert.deepEqual(await passes(process, key, 3000), []);
  });

  it("nobody hears of a pull that is paused, or that has no limit", async () => {
    const process = rig.process(testSource(5));
    const key = await rig.pull(process, { freshness });
    const none = await rig.pull(process);
    await setPaused(process, key, true);
    assert.deepEqual(await passes(process, key, 86_400), []);
    assert.equal((await process.store.runs.cursor(none))?.value.freshness, null);
    await setPaused(process, key, false);
    assert.deepEqual(await passes(process, key, 120), ["stale"]);
  });

  it("what could not be told is told again as the same event, whoever died when", async () => {
    const process = rig.process(testSource(5));
    const key = await rig.pull(process, { freshness });
    const deaf = { ...process, tellFreshness: () => Promise.reject(new Error("no topic")) };
    process.advance(3_700_000);
    await tick(deaf, process.clock.now());
    const noted = (await process.store.runs.cursor(key))?.value.freshness;
    assert.deepEqual([noted?.state, noted?.told], ["stale", false]);
    process.advance(120_000);
    await tick(process, process.clock.now());
    assert.deepEqual(
      process.aged.map(({ state, at }) => [state, at]),
      [["stale", noted?.at]],
    );
    for (const fate of ["die before", "die after"] as const) {
      for (let at = 1; at <= 4; at++) {
        const [mortal, heir] = [rig.process(testSource(5)), rig.process(testSource(5))];
        const own = await rig.pull(heir, { freshness });
        for (const one of [mortal, heir]) one.advance(3_700_000);
        mortal.faults.onWrite = (_, count) => (count === at ? fate : "send");
        await tick(mortal, mortal.clock.now()).catch(() => undefined);
        heir.advance(200_000);
        await tick(heir, heir.clock.now());
        const told = [...mortal.aged, ...heir.aged].filter(({ pull }) => pull === own.pull);
        assert.equal(new Set(told.map((event) => event.at)).size, 1, `${fate} ${at}: ${JSON.stringify(told)}`);
      }
    }
  });
});
