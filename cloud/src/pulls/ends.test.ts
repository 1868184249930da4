import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { pullPartition, splitRunId } from "../store/ids.ts";
import { replaceRun } from "../store/runs.ts";
import { commit } from "../store/tables.ts";
import { testAzurite } from "../store/test-azurite.ts";
import { cancelRun } from "./cancel.ts";
import { resetPull } from "./define.ts";
import { answer, idsFrom, idsIn, manifests, testRig } from "./test-rig.ts";
import { refused, testSource } from "./test-source.ts";
import { tick } from "./tick.ts";
import { getParts, getRun, listRuns, startRun } from "./views.ts";

const rig = await testRig(await testAzurite());

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
  const [successor, old] = (await listRuns(deps, "acme", key.pull)).items;
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

test("a run whose hosts ended again and again before a slice was committed fails", async () => {
  const source = testSource(30);
  const deps = rig.process(source, { claims: 3 });
  const key = await rig.pull(deps);
  const run = await startRun(deps, "acme", key.pull);
  const id = splitRunId(run.id).run;
  // As three claims leave it whose hosts died.
  const stored = await deps.store.runs.run(key, id);
  assert.ok(stored);
  const died = replaceRun(id, { ...stored.value, claims: 3 }, stored.etag);
  assert.ok((await commit(deps.store.runs.table, pullPartition("acme", key.pull), [died])).ok);
  await answer(deps, key, id);
  const failed = await getRun(deps, "acme", run.id);
  assert.deepEqual([failed.state, failed.error?.code], ["failed", "limit.claims"]);
  assert.deepEqual([source.requests.length, await manifests(deps, key)], [0, []]);
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

test("a cancel reaches a session in which nothing is committed and no lease is renewed", async () => {
  const source = testSource(30);
  const deps = rig.process(source, { cancelSeconds: 0.05 });
  const key = await rig.pull(deps);
  const run = await startRun(deps, "acme", key.pull);
  // The source hangs: only the hold's signal ends this.
  source.onBatch = async (_, __, signal) => {
    assert.equal(await cancelRun(deps, "acme", run.id, "key:test"), "asked");
    if (!signal.aborted) await once(signal, "abort");
    return refused("request.cancelled");
  };
  await answer(deps, key, splitRunId(run.id).run);
  assert.equal((await getRun(deps, "acme", run.id)).state, "cancelled");
  assert.equal(deps.logged.filter(({ what }) => what === "cancel noticed").length, 1);
});

test("a look for a cancel that is not answered is followed by another", async () => {
  const source = testSource(30);
  const deps = rig.process(source, { cancelSeconds: 0.05 });
  const key = await rig.pull(deps);
  const run = await startRun(deps, "acme", key.pull);
  const { cancel } = deps.store.runs;
  let unanswered = 0;
  source.onBatch = async (_, __, signal) => {
    const { promise, resolve } = Promise.withResolvers<void>();
    deps.store.runs.cancel = async (...args) => {
      unanswered += 1;
      if (unanswered === 2) resolve();
      if (unanswered <= 2) throw new Error("no answer");
      return cancel(...args);
    };
    await promise;
    await cancelRun(rig.process(source), "acme", run.id, "key:test");
    if (!signal.aborted) await once(signal, "abort");
    return refused("request.cancelled");
  };
  await answer(deps, key, splitRunId(run.id).run);
  assert.equal((await getRun(deps, "acme", run.id)).state, "cancelled");
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

test("a snapshot's bound ends with its session: the next session has another, and warnings stay with the run", async () => {
  const inner = testSource(30);
  inner.positions = false;
  inner.plan = { isolation: "snapshot", consistency: "exact", to: "20" };
  const warning = { code: "sql.retention", facts: { sinceMinutes: 3, keptMinutes: 5 } } as const;
  const source: typeof inner = {
    ...inner,
    openSession: async (...given) => {
      const outcome = await inner.openSession(...given);
      return outcome.ok ? { ...outcome, warnings: [warning] } : outcome;
    },
  };
  const deps = rig.process(source, { sliceBytes: 1 });
  const key = await rig.pull(deps);
  const run = await startRun(deps, "acme", key.pull);
  inner.onBatch = async (batch) => (batch === 2 ? refused("protocol.truncated") : undefined);
  await answer(deps, key, splitRunId(run.id).run);
  assert.equal((await getRun(deps, "acme", run.id)).to, "20");
  inner.plan = { ...inner.plan, to: "30" };
  inner.onBatch = async () => undefined;
  deps.advance(3600_000);
  await answer(deps, key, splitRunId(run.id).run);
  const ended = await getRun(deps, "acme", run.id);
  assert.deepEqual([ended.state, ended.to, ended.slices], ["published", "30", 1]);
  assert.deepEqual(
    ended.warnings.map(({ code, facts }) => ({ code, facts })),
    [warning],
  );
  const plans = inner.requests.map(({ operation }) => "plan" in operation);
  assert.deepEqual(plans, [false, false], "the first session's plan was not sent on");
  const [only] = await manifests(deps, key);
  assert.deepEqual(await idsIn(deps, only!), idsFrom(1, 30));
});
