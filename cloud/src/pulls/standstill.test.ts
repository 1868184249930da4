/** The scheduler over a day in which nothing ticked, with its stores: each misfire and overlap rule, jitter and a pause. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { PullKey } from "../store/runs.ts";
import { testAzurite } from "../store/test-azurite.ts";
import { answer, type TestProcess, testRig } from "./test-rig.ts";
import { testSource } from "./test-source.ts";
import { tick } from "./tick.ts";
import { getPull, listRuns, startRun } from "./views.ts";

const rig = await testRig(await testAzurite());
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const HOURLY = { cron: "0 * * * *" };

/** Ticks until nothing of this pull rings any more; bells are answered at once. */
async function settle(deps: TestProcess, key: PullKey): Promise<void> {
  for (let rang = true, ticks = 0; rang; ticks++) {
    assert.ok(ticks < 60, "it never settles");
    await tick(deps, deps.clock.now());
    const mine = deps.bells.splice(0).filter(({ bell }) => bell.pull === key.pull);
    for (const { bell } of mine) await answer(deps, key, bell.run);
    rang = mine.length > 0;
    deps.advance(1500);
    deps.faults.dateShiftMs += 1500;
  }
}

/** Moves to `ms` after the pull's next due time, as if nothing had ticked since. */
async function skipTo(deps: TestProcess, key: PullKey, ms: number): Promise<number> {
  const due = Date.parse((await getPull(deps, key.tenant, key.pull)).nextDue!);
  const step = due + ms - deps.clock.now();
  deps.advance(step);
  deps.faults.dateShiftMs += step;
  return due;
}

describe("a day without a tick", () => {
  for (const [misfire, count] of [
    ["once", 1],
    ["skip", 0],
    ["all", 25],
  ] as const) {
    it(`misfire ${misfire}: ${count} runs follow, one after the other, and the next is due within the hour`, async () => {
      const deps = rig.process(testSource(5));
      const key = await rig.pull(deps, { schedule: { ...HOURLY, misfire } });
      // Between two due times, so that no run is due in time.
      const due = await skipTo(deps, key, 24 * HOUR_MS + 30 * MINUTE_MS);
      await settle(deps, key);
      const runs = (await listRuns(deps, key.tenant, key.pull)).items;
      assert.deepEqual([runs.length, runs.filter(({ state }) => state === "published").length], [count, count]);
      assert.ok(runs.every(({ kind }) => kind === "scheduled"));
      const { nextDue, activeRun } = await getPull(deps, key.tenant, key.pull);
      assert.deepEqual([nextDue, activeRun], [new Date(due + 25 * HOUR_MS).toISOString(), null]);
    });
  }
});

describe("a due time during a run", () => {
  for (const [overlap, count] of [
    ["skip", 1],
    ["queue", 2],
  ] as const) {
    it(`overlap ${overlap}: of three due times ${count} runs become`, async () => {
      const deps = rig.process(testSource(5));
      const key = await rig.pull(deps, { schedule: { ...HOURLY, overlap } });
      // By hand, and not answered: it is at work for hours.
      await startRun(deps, key.tenant, key.pull);
      for (let dues = 0; dues < 3; dues++) {
        await skipTo(deps, key, 1000);
        await tick(deps, deps.clock.now());
      }
      await settle(deps, key);
      const kinds = (await listRuns(deps, key.tenant, key.pull)).items.map(({ kind, state }) => `${kind} ${state}`);
      const queued = overlap === "queue" ? ["scheduled published"] : [];
      assert.deepEqual(kinds.toSorted(), ["manual published", ...queued]);
      assert.equal(kinds.length, count);
    });
  }
});

it("jitter moves a due time by the pull's own share, and a tick before that starts nothing", async () => {
  const deps = rig.process(testSource(5));
  const dues: { readonly key: PullKey; readonly due: string }[] = [];
  for (let pulls = 0; pulls < 3; pulls++) {
    const key = await rig.pull(deps, { schedule: { ...HOURLY, jitterSeconds: 3000 } });
    dues.push({ key, due: (await getPull(deps, key.tenant, key.pull)).nextDue! });
  }
  const shifts = dues.map(({ due }) => Date.parse(due) % HOUR_MS);
  assert.equal(new Set(shifts).size, 3);
  assert.ok(shifts.every((shift) => shift < 3000 * 1000));
  // Each in its turn: a tick looks at all of them.
  for (const { key } of dues.toSorted((a, b) => (a.due < b.due ? -1 : 1))) {
    await skipTo(deps, key, -1000);
    await tick(deps, deps.clock.now());
    assert.deepEqual((await listRuns(deps, key.tenant, key.pull)).items, []);
    await skipTo(deps, key, 1000);
    // An entry that was written to guard the definition may be what it is found by: a minute after it at most.
    const isFound = async () => (await listRuns(deps, key.tenant, key.pull)).items.length > 0;
    for (let ticks = 0; ticks < 45 && !(await isFound()); ticks++) await settle(deps, key);
    assert.equal((await listRuns(deps, key.tenant, key.pull)).items.length, 1);
  }
});
