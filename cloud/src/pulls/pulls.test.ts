import assert from "node:assert/strict";
import { test } from "node:test";
// biome-ignore lint/correctness/noUndeclaredDependencies: an Arrow reader that is not ours; `shared` declares it.
import { tableFromIPC } from "apache-arrow";
import { readParquet } from "parquet-wasm";
import { splitRunId } from "../store/ids.ts";
import { testAzurite } from "../store/test-azurite.ts";
import { cancelRun } from "./cancel.ts";
import { putPull, resetPull } from "./define.ts";
import { answer, definitionOf, idsFrom, idsIn, manifests, testRig } from "./test-rig.ts";
import { refused, testSource } from "./test-source.ts";
import { tick } from "./tick.ts";
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
    (await listRuns(deps, "acme", key.pull)).map((run) => run.id),
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

test("a changed plan supersedes the run, and its successor reads from the same place", async () => {
  const source = testSource(30);
  const deps = rig.process(source, { sliceBytes: 1 });
  const key = await rig.pull(deps);
  const run = await startRun(deps, "acme", key.pull);
  source.onBatch = async (batch) => (batch === 3 ? refused("protocol.truncated") : undefined);
  await answer(deps, key, splitRunId(run.id).run);
  const waiting = await getRun(deps, "acme", run.id);
  assert.deepEqual([waiting.state, waiting.slices, waiting.error?.code], ["waiting", 2, "protocol.truncated"]);
  source.policy = "q".repeat(43);
  source.onBatch = async () => undefined;
  deps.advance(3600_000);
  await answer(deps, key, splitRunId(run.id).run);
  const [successor, old] = await listRuns(deps, "acme", key.pull);
  assert.deepEqual([old!.id, old!.state, old!.error?.code], [run.id, "superseded", "request.plan_changed"]);
  assert.equal(successor!.state, "queued");
  const [bell] = deps.bells.slice(-1);
  if (bell?.bell.run !== splitRunId(successor!.id).run) await tick(deps, deps.clock.now() + 600_000);
  await answer(deps, key, splitRunId(successor!.id).run);
  const [one, ...more] = await manifests(deps, key);
  assert.equal(more.length, 0);
  assert.deepEqual(await idsIn(deps, one!), idsFrom(1, 30));
  assert.equal(one!.run, successor!.id);
});

test("a failed run has no part visible, and says what to do", async () => {
  const source = testSource(30);
  const deps = rig.process(source, { sliceBytes: 1 });
  const key = await rig.pull(deps);
  const run = await startRun(deps, "acme", key.pull);
  source.onBatch = async (batch) => (batch === 3 ? refused("value.not_exact") : undefined);
  await answer(deps, key, splitRunId(run.id).run);
  const failed = await getRun(deps, "acme", run.id);
  assert.deepEqual([failed.state, failed.error?.code, failed.seq], ["failed", "value.not_exact", null]);
  assert.match(failed.error!.advice, /CAST/);
  assert.deepEqual(await manifests(deps, key), []);
  assert.deepEqual(await getParts(deps, "acme", run.id), { run: run.id, manifest: null, parts: [] });
  assert.deepEqual(
    deps.events.map(({ state, code }) => [state, code]),
    [["failed", "value.not_exact"]],
  );
  assert.equal((await deps.store.runs.cursor(key))?.value.watermark, null);
});

test("an offline agent costs no claim, a failing one ends the run at its budget", async () => {
  const source = testSource(30);
  const deps = rig.process(source, { claims: 3 });
  const key = await rig.pull(deps);
  const run = await startRun(deps, "acme", key.pull);
  const id = splitRunId(run.id).run;
  source.onBatch = async () => refused("agent.offline");
  for (let tries = 0; tries < 5; tries++) {
    await answer(deps, key, id);
    assert.equal((await getRun(deps, "acme", run.id)).state, "waiting");
    // Too early: nothing happens.
    await answer(deps, key, id);
    deps.advance(60_000);
  }
  assert.equal(source.requests.length, 5);
  assert.equal((await deps.store.runs.run(key, id))?.value.claims, 0);
  source.onBatch = async () => refused("connection.lost");
  for (let tries = 0; tries < 3; tries++) {
    await answer(deps, key, id);
    deps.advance(3600_000);
  }
  const failed = await getRun(deps, "acme", run.id);
  assert.deepEqual([failed.state, failed.error?.code], ["failed", "connection.lost"]);
});

test("a run ends at its deadline", async () => {
  const source = testSource(30);
  const deps = rig.process(source);
  const key = await rig.pull(deps, { maxSeconds: 120 });
  const run = await startRun(deps, "acme", key.pull);
  source.onBatch = async () => refused("agent.offline");
  await answer(deps, key, splitRunId(run.id).run);
  deps.advance(120_000);
  await answer(deps, key, splitRunId(run.id).run);
  const failed = await getRun(deps, "acme", run.id);
  assert.deepEqual([failed.state, failed.error?.code], ["failed", "run.deadline"]);
  assert.match(failed.error!.message, /agent\.offline/);
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

test("cancelling: before it begins, while it runs, and too late", async () => {
  const source = testSource(30);
  const deps = rig.process(source, { sliceBytes: 1 });
  const key = await rig.pull(deps);
  const first = await startRun(deps, "acme", key.pull);
  const waiting = await startRun(deps, "acme", key.pull);
  assert.equal(await cancelRun(deps, "acme", waiting.id, "key:test"), "cancelled");
  assert.equal((await getRun(deps, "acme", waiting.id)).state, "cancelled");
  source.onBatch = async (batch) => {
    if (batch === 2) assert.equal(await cancelRun(deps, "acme", first.id, "key:test"), "asked");
    return undefined;
  };
  await answer(deps, key, splitRunId(first.id).run);
  assert.equal((await getRun(deps, "acme", first.id)).state, "cancelled");
  assert.deepEqual(await manifests(deps, key), []);
  source.onBatch = async () => undefined;
  const third = await startRun(deps, "acme", key.pull);
  await answer(deps, key, splitRunId(third.id).run);
  assert.equal(await cancelRun(deps, "acme", third.id, "key:test"), "ended");
  assert.equal((await manifests(deps, key)).length, 1);
});

test("a reset during a run ends it, and the next one replaces everything", async () => {
  const source = testSource(30);
  const deps = rig.process(source, { sliceBytes: 1 });
  const key = await rig.pull(deps);
  const first = await startRun(deps, "acme", key.pull);
  await answer(deps, key, splitRunId(first.id).run);
  source.rows = testSource(40).rows;
  const second = await startRun(deps, "acme", key.pull);
  source.onBatch = async (batch) => {
    if (batch === 1) await resetPull(deps, key);
    return undefined;
  };
  await answer(deps, key, splitRunId(second.id).run);
  assert.equal((await getRun(deps, "acme", second.id)).state, "superseded");
  source.onBatch = async () => undefined;
  const third = await startRun(deps, "acme", key.pull);
  await answer(deps, key, splitRunId(third.id).run);
  const found = await manifests(deps, key);
  assert.deepEqual(
    found.map(({ replaces, rows }) => [replaces, rows]),
    [
      [false, 30],
      [true, 40],
    ],
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
  const runs = await listRuns(deps, "acme", key.pull);
  assert.deepEqual(
    runs.map(({ kind, state }) => [kind, state]),
    [["scheduled", "queued"]],
  );
  assert.ok(mine(deps).length + mine(other).length >= 1);
  await answer(deps, key, splitRunId(runs[0]!.id).run);
  const next = Date.parse((await deps.store.runs.cursor(key))!.value.nextDue!);
  assert.ok(next > due);
  await tick(deps, next + 120_000);
  assert.equal((await listRuns(deps, "acme", key.pull)).length, 2);
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
