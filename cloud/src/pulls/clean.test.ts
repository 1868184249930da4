import assert from "node:assert/strict";
import { test } from "node:test";
import { pullPartition, splitRunId } from "../store/ids.ts";
import type { PullKey } from "../store/runs.ts";
import { testAzurite } from "../store/test-azurite.ts";
import { manifestPath } from "./publish.ts";
import { reindex } from "./reindex.ts";
import { answer, idsFrom, idsIn, manifests, type TestProcess, testRig } from "./test-rig.ts";
import { refused, testSource } from "./test-source.ts";
import { tick } from "./tick.ts";
import { getPull, getRun, startRun } from "./views.ts";

const azurite = await testAzurite();
const rig = await testRig(azurite);
const DAY_MS = 86_400_000;

async function blobsOf(deps: TestProcess, { tenant, pull }: PullKey): Promise<string[]> {
  const names: string[] = [];
  const prefix = `${tenant}/${pull}/data/`;
  for await (const { name } of deps.blobs.listBlobsFlat({ prefix, includeUncommitedBlobs: true })) names.push(name);
  return names;
}

async function runOnce(deps: TestProcess, key: PullKey): Promise<string> {
  const run = await startRun(deps, "acme", key.pull);
  await answer(deps, key, splitRunId(run.id).run);
  return run.id;
}

test("a day after a run's end, what no slice names is deleted, and nothing else", async () => {
  const source = testSource(30);
  const deps = rig.process(source, { sliceBytes: 1, backoffSeconds: 1 });
  const key = await rig.pull(deps);
  const run = await startRun(deps, "acme", key.pull);
  const id = splitRunId(run.id).run;
  // The first claim leaves a part that was staged and a list that no slice entity names.
  source.onBatch = async (batch) => {
    if (batch < 2) return undefined;
    await deps.blobs.getBlockBlobClient(`acme/${key.pull}/data/${id}/000002-f1-s1/slice.json`).upload("{}", 2);
    return refused("protocol.truncated");
  };
  await answer(deps, key, id);
  source.onBatch = async () => undefined;
  deps.advance(3600_000);
  const endedMs = deps.clock.now();
  // Still at work: nothing of it is touched, whatever the time.
  await tick(deps, endedMs + 2 * DAY_MS);
  assert.ok((await blobsOf(deps, key)).some((name) => name.includes("000002-f1-s1")));
  await answer(deps, key, id);
  await tick(deps, endedMs + 600_000);
  assert.ok((await blobsOf(deps, key)).some((name) => name.includes("000002-f1-s1")));
  await tick(deps, endedMs + DAY_MS + 600_000);
  const left = await blobsOf(deps, key);
  assert.ok(!left.some((name) => name.includes("000002-f1-s1")));
  const [one] = await manifests(deps, key);
  assert.deepEqual(await idsIn(deps, one!), idsFrom(1, 30));
  assert.equal(left.length, 2 * one!.parts.length);
  assert.deepEqual(await deps.store.runs.rests(key, 1), []);
});

test("all blobs of a failed run go", async () => {
  const source = testSource(30);
  const deps = rig.process(source, { sliceBytes: 1 });
  const key = await rig.pull(deps);
  source.onBatch = async (batch) => (batch === 3 ? refused("value.not_exact") : undefined);
  await runOnce(deps, key);
  assert.equal((await blobsOf(deps, key)).length, 4);
  await tick(deps, deps.clock.now() + DAY_MS + 600_000);
  assert.deepEqual(await blobsOf(deps, key), []);
});

test("results older than the pull keeps them go, the newest stays, and readers know where to begin", async () => {
  const source = testSource(10);
  const deps = rig.process(source);
  const key = await rig.pull(deps, { retentionDays: 2 });
  const first = await runOnce(deps, key);
  source.rows = testSource(20).rows;
  await runOnce(deps, key);
  source.rows = testSource(30).rows;
  await runOnce(deps, key);
  const now = deps.clock.now();
  await tick(deps, now + DAY_MS + 600_000);
  assert.equal((await getPull(deps, "acme", key.pull)).oldest, 1);
  await tick(deps, now + 2 * DAY_MS + 600_000);
  const { oldest, seq, watermark } = await getPull(deps, "acme", key.pull);
  assert.deepEqual([oldest, seq, watermark], [3, 3, "30"]);
  assert.equal((await getRun(deps, "acme", first)).state, "expired");
  const there = [1, 2, 3].map((number) => deps.blobs.getBlobClient(manifestPath(key, number)).exists());
  assert.deepEqual(await Promise.all(there), [false, false, true]);
  // The parts a day later: somebody may just be reading them.
  assert.equal((await blobsOf(deps, key)).length, 6);
  // What a publisher who slept writes again does not count, and goes.
  await deps.blobs.getBlockBlobClient(manifestPath(key, 1)).upload("{}", 2);
  await tick(deps, now + 3 * DAY_MS + 1_200_000);
  assert.equal((await blobsOf(deps, key)).length, 2);
  assert.equal(await deps.blobs.getBlobClient(manifestPath(key, 1)).exists(), false);
  await tick(deps, now + 99 * DAY_MS);
  assert.equal((await getPull(deps, "acme", key.pull)).oldest, 3);
});

test("a pull whose wake entries were lost is found by the slow re-index", async () => {
  const source = testSource(10);
  const deps = rig.process(source, { reindexPulls: 2 });
  const key = await rig.pull(deps);
  const run = await startRun(deps, "acme", key.pull);
  const entries = await deps.store.wake.due(Date.now() + 365 * DAY_MS, 1000);
  for (const entry of entries) await deps.store.wake.remove(entry);
  const before = deps.bells.length;
  await tick(deps, Date.now() + 3600_000);
  assert.equal(deps.bells.length, before);
  // As many ticks as there are pages of pulls, and one more for the end.
  const { keys } = await deps.store.runs.page(1000, "");
  for (let pages = 0; pages <= Math.ceil(keys.length / 2); pages++) assert.ok((await reindex(deps)) <= 2);
  await tick(deps, Date.now() + 60_000);
  assert.ok(deps.bells.slice(before).some(({ bell }) => bell.run === splitRunId(run.id).run));
  assert.ok(keys.some(({ tenant, pull }) => pullPartition(tenant, pull) === pullPartition(key.tenant, key.pull)));
});
