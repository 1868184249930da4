import assert from "node:assert/strict";
import { test } from "node:test";
import { splitRunId } from "../store/ids.ts";
import { testAzurite } from "../store/test-azurite.ts";
import { cancelRun } from "./cancel.ts";
import { resetPull, setPaused } from "./define.ts";
import { answer, idsFrom, idsIn, manifests, testRig } from "./test-rig.ts";
import { refused, testSource } from "./test-source.ts";
import { tick } from "./tick.ts";
import { getPull, getRun, listRuns, startAgain, startRun } from "./views.ts";

const rig = await testRig(await testAzurite());

test("a backfill reads its own range again, and leaves the watermark alone", async () => {
  const source = testSource(40);
  const deps = rig.process(source);
  const key = await rig.pull(deps);
  await assert.rejects(startRun(deps, "acme", key.pull, { kind: "backfill" }), { code: "api.invalid" });
  const first = await startRun(deps, "acme", key.pull);
  await answer(deps, key, splitRunId(first.id).run);
  source.rows = testSource(60).rows;
  const part = await startRun(deps, "acme", key.pull, { kind: "backfill", from: "10", to: "30" });
  // One at a time with the pull's other runs.
  const all = await startRun(deps, "acme", key.pull, { kind: "backfill" });
  assert.equal((await getPull(deps, "acme", key.pull)).activeRun, part.id);
  await answer(deps, key, splitRunId(part.id).run);
  assert.equal((await getPull(deps, "acme", key.pull)).activeRun, all.id);
  await answer(deps, key, splitRunId(all.id).run);
  const found = await manifests(deps, key);
  assert.deepEqual(await Promise.all(found.map((one) => idsIn(deps, one))), [
    idsFrom(1, 40),
    idsFrom(11, 30),
    idsFrom(1, 40),
  ]);
  assert.deepEqual(
    found.map(({ kind, from, to, replaces }) => [kind, from, to, replaces]),
    [
      ["manual", null, "40", false],
      ["backfill", "10", "30", false],
      ["backfill", null, "40", false],
    ],
  );
  const next = await startRun(deps, "acme", key.pull);
  await answer(deps, key, splitRunId(next.id).run);
  assert.deepEqual(await idsIn(deps, (await manifests(deps, key))[3]!), idsFrom(41, 60));
});

test("a backfill that resumes keeps its bound, and one whose agent reads another does not begin", async () => {
  const source = testSource(40);
  const deps = rig.process(source, { sliceBytes: 1 });
  const key = await rig.pull(deps);
  const run = await startRun(deps, "acme", key.pull, { kind: "backfill", to: "30" });
  const id = splitRunId(run.id).run;
  source.onBatch = async (batch) => (batch === 2 ? refused("protocol.truncated") : undefined);
  await answer(deps, key, id);
  source.onBatch = async () => undefined;
  deps.advance(3600_000);
  await answer(deps, key, id);
  assert.deepEqual(await idsIn(deps, (await manifests(deps, key))[0]!), idsFrom(1, 30));
  assert.equal((await getPull(deps, "acme", key.pull)).watermark, null);
  const other = await startRun(deps, "acme", key.pull, { kind: "backfill", to: "30" });
  source.plan = { to: "35" };
  await answer(deps, key, splitRunId(other.id).run);
  assert.equal((await getRun(deps, "acme", other.id)).error?.code, "protocol.order");
  assert.equal((await manifests(deps, key)).length, 1);
});

test("a failed or cancelled run is started again as a new one, with its bounds", async () => {
  const source = testSource(40);
  const deps = rig.process(source);
  const key = await rig.pull(deps);
  const first = await startRun(deps, "acme", key.pull, { kind: "backfill", from: "5", to: "20" });
  source.onBatch = async () => refused("value.not_exact");
  await answer(deps, key, splitRunId(first.id).run);
  source.onBatch = async () => undefined;
  const again = await startAgain(deps, "acme", first.id);
  assert.notEqual(again.id, first.id);
  await assert.rejects(startAgain(deps, "acme", again.id), { code: "api.conflict" });
  await answer(deps, key, splitRunId(again.id).run);
  assert.deepEqual(await idsIn(deps, (await manifests(deps, key))[0]!), idsFrom(6, 20));
  await assert.rejects(startAgain(deps, "acme", again.id), { code: "api.conflict" });
  const manual = await startRun(deps, "acme", key.pull);
  await cancelRun(deps, "acme", manual.id, "key:test");
  const repeat = await startAgain(deps, "acme", manual.id);
  await answer(deps, key, splitRunId(repeat.id).run);
  assert.deepEqual(await idsIn(deps, (await manifests(deps, key))[1]!), idsFrom(1, 40));
  const unknown = `${key.pull}.0000000000000-00000000`;
  await assert.rejects(startAgain(deps, "acme", unknown), { code: "api.not_found" });
});

test("a paused pull is not due, and a resumed one from now on; runs by hand go on", async () => {
  const source = testSource(10);
  const deps = rig.process(source);
  const key = await rig.pull(deps, { schedule: { cron: "* * * * *" } });
  assert.notEqual((await getPull(deps, "acme", key.pull)).nextDue, null);
  assert.equal((await setPaused(deps, key, true)).revision, 2);
  assert.deepEqual(await setPaused(deps, key, true), { created: false, revision: 2, reset: false });
  assert.equal((await getPull(deps, "acme", key.pull)).nextDue, null);
  await tick(deps, Date.now() + 3600_000);
  assert.deepEqual((await listRuns(deps, "acme", key.pull)).items, []);
  const run = await startRun(deps, "acme", key.pull);
  await answer(deps, key, splitRunId(run.id).run);
  assert.equal((await manifests(deps, key)).length, 1);
  await setPaused(deps, key, false);
  const { nextDue, revision, definition } = await getPull(deps, "acme", key.pull);
  assert.equal(revision, 3);
  assert.equal(definition.paused, false);
  await tick(deps, Date.parse(nextDue!) + 61_000);
  assert.equal((await listRuns(deps, "acme", key.pull)).items[0]?.kind, "scheduled");
  await assert.rejects(setPaused(deps, { ...key, pull: "none" }, true), { code: "api.not_found" });
});

test("a reset shows in the pull, and its watermark is gone", async () => {
  const deps = rig.process(testSource(10));
  const key = await rig.pull(deps);
  const run = await startRun(deps, "acme", key.pull);
  await answer(deps, key, splitRunId(run.id).run);
  assert.equal((await getPull(deps, "acme", key.pull)).watermark, "10");
  await resetPull(deps, key);
  const { watermark, seq, activeRun } = await getPull(deps, "acme", key.pull);
  assert.deepEqual([watermark, seq, activeRun], [null, 1, null]);
  await assert.rejects(getPull(deps, "acme", "none"), { code: "api.not_found" });
});

test("a statement that cannot be resumed is not stored with more time than a session has", async () => {
  const deps = rig.process(testSource(1));
  const operation = { op: "sql.query", statement: "openInvoices" };
  const given = { operation, watermark: "none" };
  await assert.rejects(rig.pull(deps, { ...given, limits: { seconds: 781 } }), { code: "api.invalid" });
  await rig.pull(deps, { ...given, limits: { seconds: 780 } });
});
