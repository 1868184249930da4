import assert from "node:assert/strict";
import { test } from "node:test";
// biome-ignore lint/correctness/noUndeclaredDependencies: an Arrow reader that is not ours; `shared` declares it.
import { tableFromIPC } from "apache-arrow";
import { readParquet } from "parquet-wasm";
import { splitRunId } from "../store/ids.ts";
import { testAzurite } from "../store/test-azurite.ts";
import { answer, idsFrom, idsIn, manifests, testRig } from "./test-rig.ts";
import { refused, testSource } from "./test-source.ts";
import { getParts, getRun, listRuns, startRun } from "./views.ts";

const rig = await testRig(await testAzurite());

test("a pull reads everything, then what is new, then nothing", async () => {
  const source = testSource(35);
  const deps = rig.process(source);
  const key = await rig.pull(deps);
  const first = await startRun(deps, "acme", key.pull);
  assert.equal(first.state, "queued");
  assert.deepEqual(
    deps.bells.map(({ bell }) => bell.run),
    [splitRunId(first.id).run],
  );
  await answer(deps, key, splitRunId(first.id).run);
  const done = await getRun(deps, "acme", first.id);
  assert.deepEqual(
    { state: done.state, rows: done.rows, slices: done.slices, seq: done.seq, from: done.from, to: done.to },
    { state: "published", rows: 35, slices: 1, seq: 1, from: null, to: "35" },
  );
  source.rows = testSource(50).rows;
  const second = await startRun(deps, "acme", key.pull);
  await answer(deps, key, splitRunId(second.id).run);
  const third = await startRun(deps, "acme", key.pull);
  await answer(deps, key, splitRunId(third.id).run);
  const found = await manifests(deps, key);
  assert.deepEqual(await Promise.all(found.map((one) => idsIn(deps, one))), [idsFrom(1, 35), idsFrom(36, 50)]);
  assert.deepEqual(
    found.map(({ seq, from, to, rows, replaces, kind, key: columns, consistency }) => [
      seq,
      from,
      to,
      rows,
      replaces,
      kind,
      columns,
      consistency,
    ]),
    [
      [1, null, "35", 35, false, "manual", ["Id"], "exact"],
      [2, "35", "50", 15, false, "manual", ["Id"], "exact"],
    ],
  );
  const empty = await getRun(deps, "acme", third.id);
  assert.deepEqual([empty.state, empty.seq, empty.rows, empty.to], ["published", null, 0, "50"]);
  assert.deepEqual(
    deps.events.map(({ id, state, seq }) => [id, state, seq]),
    [
      [`${key.pull}/1`, "published", 1],
      [`${key.pull}/2`, "published", 2],
      [`${key.pull}/${splitRunId(third.id).run}`, "published", null],
    ],
  );
  assert.deepEqual(
    (await listRuns(deps, "acme", key.pull)).items.map((run) => run.id),
    [third.id, second.id, first.id],
  );
  const parts = await getParts(deps, "acme", first.id);
  assert.equal(parts.parts.length, 1);
  const response = await fetch(parts.parts[0]!.url);
  assert.equal((await response.arrayBuffer()).byteLength, parts.parts[0]!.bytes);
  assert.equal((await fetch(parts.manifest!.url)).status, 200);
  const unsigned = parts.parts[0]!.url.split("?")[0]!;
  assert.notEqual((await fetch(unsigned)).status, 200);
  assert.notEqual((await fetch(parts.parts[0]!.url, { method: "DELETE" })).status, 202);
});

test("slices are committed at checkpoints, and a hand-over goes on where the last one ended", async () => {
  const source = testSource(100);
  const deps = rig.process(source, { sliceBytes: 1 });
  const key = await rig.pull(deps);
  const run = await startRun(deps, "acme", key.pull);
  const id = splitRunId(run.id).run;
  // The claim's time is over after the third batch.
  source.onBatch = async (batch) => {
    if (batch === 3) deps.advance(301_000);
    return undefined;
  };
  await answer(deps, key, id);
  const between = await getRun(deps, "acme", run.id);
  assert.deepEqual([between.state, between.slices, between.rows], ["queued", 3, 30]);
  assert.equal(deps.bells.length, 2);
  assert.deepEqual(await manifests(deps, key), []);
  source.onBatch = async () => undefined;
  await answer(deps, key, id);
  const [one] = await manifests(deps, key);
  assert.deepEqual(await idsIn(deps, one!), idsFrom(1, 100));
  assert.equal(one!.parts.length, 10);
  const operation = source.requests[1]!.operation;
  assert.ok(operation.op === "sql.table");
  assert.equal(operation.position, "30");
  assert.equal(operation.plan?.to, "100");
});

test("a source without positions commits one slice, and starts it again under a new name", async () => {
  const source = testSource(30);
  source.positions = false;
  const deps = rig.process(source, { sliceBytes: 1 });
  const key = await rig.pull(deps, { watermark: "none" });
  const run = await startRun(deps, "acme", key.pull);
  source.onBatch = async (batch) => (batch === 2 ? refused("protocol.truncated") : undefined);
  await answer(deps, key, splitRunId(run.id).run);
  source.onBatch = async () => undefined;
  deps.advance(3600_000);
  await answer(deps, key, splitRunId(run.id).run);
  const [one] = await manifests(deps, key);
  assert.deepEqual(await idsIn(deps, one!), idsFrom(1, 30));
  assert.deepEqual(
    one!.parts.map(({ path }) => path.split("/").at(-2)),
    ["000001-f2-s1"],
  );
});

test("a drained process hands over at the next checkpoint", async () => {
  const source = testSource(30);
  const deps = rig.process(source);
  const key = await rig.pull(deps);
  const run = await startRun(deps, "acme", key.pull);
  const drain = new AbortController();
  source.onBatch = async (batch) => {
    if (batch === 2) drain.abort();
    return undefined;
  };
  await answer(deps, key, splitRunId(run.id).run, drain.signal);
  const between = await getRun(deps, "acme", run.id);
  assert.deepEqual([between.state, between.rows], ["queued", 20]);
  source.onBatch = async () => undefined;
  await answer(deps, key, splitRunId(run.id).run);
  assert.deepEqual(await idsIn(deps, (await manifests(deps, key))[0]!), idsFrom(1, 30));
});

test("with the Parquet sink a run's slices are Parquet files", async () => {
  const source = testSource(25);
  const deps = rig.process(source, { sliceBytes: 1 });
  const key = await rig.pull(deps, { sink: { type: "blob", format: "parquet" } });
  const run = await startRun(deps, "acme", key.pull);
  await answer(deps, key, splitRunId(run.id).run);
  const [one] = await manifests(deps, key);
  const rows = one!.parts.map(async ({ path, rows: counted }) => {
    assert.match(path, /part-00001\.parquet$/);
    const table = readParquet(new Uint8Array(await deps.blobs.getBlobClient(path).downloadToBuffer()));
    const ids = Array.from(tableFromIPC(table.intoIPCStream()).getChild("Id")!, Number);
    assert.equal(ids.length, counted);
    return ids;
  });
  assert.equal(rows.length, 3);
  assert.deepEqual((await Promise.all(rows)).flat(), idsFrom(1, 25));
});
