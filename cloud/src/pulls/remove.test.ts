import assert from "node:assert/strict";
import { test } from "node:test";
import { pullPartition, splitRunId } from "../store/ids.ts";
import { insertRun, type PullKey, type RunStore } from "../store/runs.ts";
import { commit } from "../store/tables.ts";
import { testAzurite } from "../store/test-azurite.ts";
import { usedBy } from "../tenants/quotas.ts";
import { cancelRun } from "./cancel.ts";
import { putPull, resetPull, setPaused } from "./define.ts";
import type { PullDeps } from "./deps.ts";
import { removePull } from "./remove.ts";
import { freshRun } from "./start.ts";
import { answer, definitionOf, idsFrom, idsIn, manifests, testRig } from "./test-rig.ts";
import { testSource } from "./test-source.ts";
import { tick } from "./tick.ts";
import { getParts, getPull, getRun, listPulls, listRuns, startAgain, startRun } from "./views.ts";

const rig = await testRig(await testAzurite());
const NOT_FOUND = { code: "api.not_found" };

/** The same process, to which something happens right after its first read of this kind. */
function interrupted(deps: PullDeps, read: "cursor" | "definition" | "queued", act: () => Promise<unknown>): PullDeps {
  let pending = true;
  const runs: RunStore = {
    ...deps.store.runs,
    [read]: async (key: PullKey) => {
      const found = await deps.store.runs[read](key);
      if (pending) {
        pending = false;
        await act();
      }
      return found;
    },
  };
  return { ...deps, store: { ...deps.store, runs } };
}

test("a removed pull is gone and leaves its place in the quota; what it has brought can be read as before", async () => {
  const source = testSource(20);
  const deps = rig.process(source);
  const key = await rig.pull(deps, { schedule: { cron: "* * * * *" } });
  const before = (await usedBy(deps.store, "acme")).pulls;
  const run = await startRun(deps, "acme", key.pull);
  await answer(deps, key, splitRunId(run.id).run);
  await assert.rejects(removePull(deps, key, 2), { code: "api.changed" });
  assert.match(await removePull(deps, key, 1), /^\d{4}-/);
  assert.equal((await usedBy(deps.store, "acme")).pulls, before - 1);
  const listed = await listPulls(deps, "acme", { most: 100 });
  assert.ok(listed.items.every(({ id }) => id !== key.pull));
  for (const gone of [
    () => getPull(deps, "acme", key.pull),
    () => startRun(deps, "acme", key.pull),
    () => resetPull(deps, key),
    () => setPaused(deps, key, true),
    () => removePull(deps, key),
  ])
    await assert.rejects(gone(), NOT_FOUND);
  assert.deepEqual(
    (await listRuns(deps, "acme", key.pull)).items.map(({ id, state }) => [id, state]),
    [[run.id, "published"]],
  );
  assert.equal((await getRun(deps, "acme", run.id)).rows, 20);
  assert.equal((await getParts(deps, "acme", run.id)).parts.length, 1);
  // Nothing is due any more.
  await tick(deps, Date.now() + 7200_000);
  assert.equal((await listRuns(deps, "acme", key.pull)).items.length, 1);
  await assert.rejects(removePull(deps, { ...key, pull: "never" }), NOT_FOUND);
});

test("a pull made again under the name reads everything, and its manifest replaces those before it", async () => {
  const source = testSource(20);
  const deps = rig.process(source);
  const key = await rig.pull(deps);
  const first = await startRun(deps, "acme", key.pull);
  await answer(deps, key, splitRunId(first.id).run);
  await removePull(deps, key);
  // Whoever still holds the revision of the pull that was removed neither makes it again nor changes the next one.
  await assert.rejects(putPull(deps, key, definitionOf(), 1), { code: "api.changed" });
  assert.deepEqual(await putPull(deps, key, definitionOf()), { created: true, revision: 2, reset: true });
  await assert.rejects(putPull(deps, key, definitionOf({ maxSeconds: 60 }), 1), { code: "api.changed" });
  const { watermark, seq, revision } = await getPull(deps, "acme", key.pull);
  assert.deepEqual([watermark, seq, revision], [null, 1, 2]);
  const second = await startRun(deps, "acme", key.pull);
  await answer(deps, key, splitRunId(second.id).run);
  const found = await manifests(deps, key);
  assert.deepEqual(
    found.map(({ replaces, run }) => [replaces, run]),
    [
      [false, first.id],
      [true, second.id],
    ],
  );
  assert.deepEqual(await idsIn(deps, found[1]!), idsFrom(1, 20));
});

test("a pull with a run that has not ended is not removed", async () => {
  const deps = rig.process(testSource(5));
  const key = await rig.pull(deps);
  const active = await startRun(deps, "acme", key.pull);
  const waiting = await startRun(deps, "acme", key.pull);
  for (const run of [active, waiting]) {
    await assert.rejects(removePull(deps, key), ({ code, detail }) => {
      assert.deepEqual([code, detail], ["api.conflict", { run: run.id }]);
      return true;
    });
    await cancelRun(deps, "acme", run.id, "key:test");
  }
  await removePull(deps, key);
  await assert.rejects(startAgain(deps, "acme", active.id), NOT_FOUND);
});

test("what retentionDays said still holds for the results of a removed pull", async () => {
  const source = testSource(0);
  const deps = rig.process(source);
  const key = await rig.pull(deps, { retentionDays: 1 });
  const runs: string[] = [];
  for (const rows of [10, 20]) {
    source.rows = testSource(rows).rows;
    const run = await startRun(deps, "acme", key.pull);
    await answer(deps, key, splitRunId(run.id).run);
    runs.push(run.id);
  }
  const states = () => Promise.all(runs.map(async (run) => (await getRun(deps, "acme", run)).state));
  await tick(deps, Date.now() + 2 * 86_400_000);
  assert.deepEqual(await states(), ["expired", "published"]);
  // Nothing newer will come: the newest goes, too.
  await removePull(deps, key);
  await tick(deps, Date.now() + 2 * 86_400_000);
  assert.deepEqual(await states(), ["expired", "expired"]);
  assert.deepEqual((await getParts(deps, "acme", runs[1]!)).parts, []);
  // The numbers go on, and what comes under them is not over before its time.
  await putPull(deps, key, definitionOf({ retentionDays: 1 }));
  const again = await startRun(deps, "acme", key.pull);
  await answer(deps, key, splitRunId(again.id).run);
  await tick(deps, Date.now() + 2 * 86_400_000);
  const { seq, oldest } = await getPull(deps, "acme", key.pull);
  assert.deepEqual([seq, oldest, (await getRun(deps, "acme", again.id)).state], [3, 3, "published"]);
});

test("of a removal and a start at the same time one is refused", async () => {
  const deps = rig.process(testSource(5));
  const first = await rig.pull(deps);
  let run = "";
  const start = async () => {
    run = (await startRun(deps, "acme", first.pull)).id;
  };
  for (const read of ["cursor", "queued"] as const) {
    await assert.rejects(removePull(interrupted(deps, read, start), first), { code: "api.conflict" });
    await cancelRun(deps, "acme", run, "key:test");
  }
  const second = await rig.pull(deps);
  const removing = interrupted(deps, "cursor", () => removePull(deps, second));
  await assert.rejects(startRun(removing, "acme", second.pull), NOT_FOUND);
  assert.deepEqual((await listRuns(deps, "acme", second.pull)).items, []);
});

test("of a removal and a tick at the same time one starts nothing, the other removes nothing", async () => {
  const deps = rig.process(testSource(5));
  const dueMs = Date.now() + 120_000;
  for (const read of ["definition", "cursor"] as const) {
    const key = await rig.pull(deps, { schedule: { cron: "* * * * *" } });
    await tick(
      interrupted(deps, read, () => removePull(deps, key)),
      dueMs,
    );
    assert.deepEqual((await listRuns(deps, "acme", key.pull)).items, [], read);
    assert.equal((await deps.store.runs.cursor(key))?.value.activeRun, null, read);
  }
  const key = await rig.pull(deps, { schedule: { cron: "* * * * *" } });
  const removing = interrupted(deps, "queued", () => tick(deps, dueMs));
  await assert.rejects(removePull(removing, key), { code: "api.conflict" });
  assert.notEqual((await getPull(deps, "acme", key.pull)).activeRun, null);
});

test("of a removal and a change at the same time the removal is of what it was asked for", async () => {
  const deps = rig.process(testSource(5));
  const key = await rig.pull(deps);
  const changing = interrupted(deps, "cursor", () => setPaused(deps, key, true));
  await assert.rejects(removePull(changing, key, 1), { code: "api.changed" });
  assert.equal((await getPull(deps, "acme", key.pull)).revision, 2);
  const removing = interrupted(deps, "definition", () => removePull(deps, key));
  await assert.rejects(setPaused(removing, key, false), { code: "api.changed" });
  await assert.rejects(getPull(deps, "acme", key.pull), NOT_FOUND);
});

test("a run that was queued as of before the removal ends without reading, also once the pull is made again", async () => {
  const deps = rig.process(testSource(5));
  for (const again of [false, true]) {
    const key = await rig.pull(deps);
    const { id, run } = freshRun(deps, "manual", 1, 3600);
    await removePull(deps, key);
    // Behind an active run it is inserted alone: no ETag of the cursor's guards it.
    await commit(deps.store.runs.table, pullPartition(key.tenant, key.pull), [insertRun(id, run)]);
    if (again) await putPull(deps, key, definitionOf());
    await deps.store.wake.insert(key, Date.now());
    await tick(deps, Date.now() + 1000);
    assert.equal((await getRun(deps, "acme", `${key.pull}.${id}`)).state, "superseded");
    assert.deepEqual(await manifests(deps, key), []);
  }
});

test("a removal whose answer was lost is not told as something that is not there", async () => {
  const deps = rig.process(testSource(5));
  const key = await rig.pull(deps);
  let lost = true;
  const { table } = deps.store.runs;
  const submit = table.submitTransaction.bind(table);
  table.submitTransaction = async (...given) => {
    const done = await submit(...given);
    if (!lost) return done;
    lost = false;
    // As the SDK's own retry finds it.
    throw Object.assign(new Error("the condition is not met"), { statusCode: 412 });
  };
  assert.match(await removePull(deps, key), /^\d{4}-/);
  assert.equal(await deps.store.runs.definition(key), undefined);
});
