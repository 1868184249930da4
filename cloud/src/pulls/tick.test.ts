import assert from "node:assert/strict";
import { test } from "node:test";
import { splitRunId } from "../store/ids.ts";
import { testAzurite } from "../store/test-azurite.ts";
import { putPull } from "./define.ts";
import { answer, definitionOf, manifests, testRig } from "./test-rig.ts";
import { testSource } from "./test-source.ts";
import { tick } from "./tick.ts";
import { getParts, getRun, listRuns, startRun } from "./views.ts";

const rig = await testRig(await testAzurite());

test("an event that cannot be delivered is told by a later tick, in order", async () => {
  const source = testSource(10);
  const deaf = { ...rig.process(source), tell: () => Promise.reject(new Error("nobody there")) };
  const key = await rig.pull(deaf);
  const first = await startRun(deaf, "acme", key.pull);
  await answer(deaf, key, splitRunId(first.id).run);
  assert.equal((await getRun(deaf, "acme", first.id)).state, "decided");
  assert.equal((await getParts(deaf, "acme", first.id)).parts.length, 1);
  assert.equal((await manifests(deaf, key)).length, 1);
  source.rows = testSource(20).rows;
  const second = await startRun(deaf, "acme", key.pull);
  await answer(deaf, key, splitRunId(second.id).run);
  // Its manifest waits for the first one's event.
  assert.equal((await manifests(deaf, key)).length, 1);
  const deps = rig.process(source);
  await tick(deps, Date.now() + 600_000);
  assert.deepEqual(
    deps.events.filter((event) => event.pull === key.pull).map(({ seq }) => seq),
    [1, 2],
  );
  assert.equal((await manifests(deps, key)).length, 2);
  assert.equal((await deps.store.runs.cursor(key))?.value.published, 2);
});

test("what is due starts by the tick, once, and is entered again", async () => {
  const source = testSource(10);
  const deps = rig.process(source);
  const key = await rig.pull(deps, { schedule: { cron: "* * * * *" } });
  const mine = (process: typeof deps) => process.bells.filter(({ bell }) => bell.pull === key.pull);
  const due = Date.parse((await deps.store.runs.cursor(key))!.value.nextDue!);
  const other = rig.process(source);
  await Promise.all([tick(deps, due + 60_000), tick(other, due + 60_000)]);
  const runs = (await listRuns(deps, "acme", key.pull)).items;
  assert.deepEqual(
    runs.map(({ kind, state }) => [kind, state]),
    [["scheduled", "queued"]],
  );
  assert.ok(mine(deps).length + mine(other).length >= 1);
  await answer(deps, key, splitRunId(runs[0]!.id).run);
  const next = Date.parse((await deps.store.runs.cursor(key))!.value.nextDue!);
  assert.ok(next > due);
  await tick(deps, next + 120_000);
  assert.equal((await listRuns(deps, "acme", key.pull)).items.length, 2);
});

test("a definition is changed only by who knows its revision, and another table starts anew", async () => {
  const deps = rig.process(testSource(10));
  const key = await rig.pull(deps);
  assert.deepEqual(await putPull(deps, key, definitionOf()), { created: false, revision: 1, reset: false });
  const paused = definitionOf({ paused: true });
  await assert.rejects(putPull(deps, key, paused), { code: "api.conflict" });
  await assert.rejects(putPull(deps, key, paused, 7), { code: "api.changed" });
  assert.deepEqual(await putPull(deps, key, paused, 1), { created: false, revision: 2, reset: false });
  const table = definitionOf({ operation: { op: "sql.table", table: "dbo.Items", columns: "*" } });
  assert.deepEqual(await putPull(deps, key, table, 2), { created: false, revision: 3, reset: true });
  const cursor = (await deps.store.runs.cursor(key))!.value;
  assert.deepEqual([cursor.epoch, cursor.replaces, cursor.watermark], [2, true, null]);
  const unknown = definitionOf({ connection: "nowhere" });
  await assert.rejects(putPull(deps, key, unknown, 3), { code: "api.invalid" });
  const badCron = definitionOf({ schedule: { cron: "99 * * * *" } });
  await assert.rejects(putPull(deps, key, badCron, 3), { code: "api.invalid" });
  // What one entity cannot hold is said, and what just fits is stored.
  const wide = (columns: number) => {
    const names = Array.from({ length: columns }, (_, at) => `${"c".repeat(95)}${String(at).padStart(4, "0")}`);
    return definitionOf({ operation: { op: "sql.table", table: "dbo.Wide", columns: names } });
  };
  await assert.rejects(putPull(deps, key, wide(320), 3), { code: "api.too_large" });
  assert.equal((await putPull(deps, key, wide(305), 3)).revision, 4);
});

test("a tenant's pulls are listed, and no other's", async () => {
  const deps = rig.process(testSource(1));
  const { pull } = await rig.pull(deps);
  const names = (await deps.store.runs.definitions("acme")).map((found) => found.pull);
  assert.ok(names.includes(pull));
  assert.deepEqual(names, names.toSorted());
  assert.deepEqual(await deps.store.runs.definitions("acm"), []);
  await assert.rejects(listRuns(deps, "acm", pull), { code: "api.not_found" });
  for (const bad of ["A", "a|b", "", "x".repeat(41)]) {
    await assert.rejects(startRun(deps, "acme", bad), { code: "api.not_found" });
  }
});
