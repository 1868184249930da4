import assert from "node:assert/strict";
import { test } from "node:test";
import { splitRunId } from "../store/ids.ts";
import { testAzurite } from "../store/test-azurite.ts";
import { answer, idsFrom, idsIn, manifests, testRig } from "./test-rig.ts";
import { testSource } from "./test-source.ts";
import { tick } from "./tick.ts";
import { getRun, startRun } from "./views.ts";

const rig = await testRig(await testAzurite());

test("of two claimers one wins", async () => {
  const source = testSource(20);
  const [a, b] = [rig.process(source), rig.process(source)];
  const key = await rig.pull(a);
  const run = await startRun(a, "acme", key.pull);
  await Promise.all([answer(a, key, splitRunId(run.id).run), answer(b, key, splitRunId(run.id).run)]);
  assert.equal(source.requests.length, 1);
  const [one, ...more] = await manifests(a, key);
  assert.deepEqual(await idsIn(a, one!), idsFrom(1, 20));
  assert.equal(more.length, 0);
});

test("a holder that was presumed dead cannot commit any more", async () => {
  const source = testSource(40);
  const zombie = rig.process(source);
  const heir = rig.process(source);
  const key = await rig.pull(zombie);
  const run = await startRun(zombie, "acme", key.pull);
  const id = splitRunId(run.id).run;
  // In the middle of the first session, the heir sees a Date that is long after the lease, and takes over.
  heir.faults.dateShiftMs = 3600_000;
  source.onBatch = async (batch) => {
    if (batch === 3 && source.requests.length === 1) await answer(heir, key, id);
    return undefined;
  };
  await answer(zombie, key, id);
  assert.equal(source.requests.length, 2);
  const done = await getRun(heir, "acme", run.id);
  assert.deepEqual([done.state, done.rows, done.slices], ["published", 40, 1]);
  const [one, ...more] = await manifests(heir, key);
  assert.equal(more.length, 0);
  assert.deepEqual(await idsIn(heir, one!), idsFrom(1, 40));
  assert.match(one!.parts[0]!.path, /\/000001-f2-s1\/part-00001\.arrows$/);
});

test("a holder that was presumed dead writes nothing over its heir at work", async () => {
  const source = testSource(40);
  const settings = { sliceBytes: 1 };
  const [zombie, heir] = [rig.process(source, settings), rig.process(source, settings)];
  const key = await rig.pull(zombie);
  const run = await startRun(zombie, "acme", key.pull);
  const id = splitRunId(run.id).run;
  heir.faults.dateShiftMs = 3600_000;
  const heirAtWork = Promise.withResolvers<void>();
  const zombieDone = Promise.withResolvers<void>();
  let heirDone: Promise<void> | undefined;
  source.onBatch = async (batch, request) => {
    if (request === source.requests[0] && batch === 2) {
      heirDone = answer(heir, key, id);
      await heirAtWork.promise;
    } else if (request === source.requests[1] && batch === 2) {
      heirAtWork.resolve();
      await zombieDone.promise;
    }
    return undefined;
  };
  await answer(zombie, key, id);
  const { state } = await getRun(heir, "acme", run.id);
  zombieDone.resolve();
  await heirDone;
  assert.equal(state, "running");
  const [one, ...more] = await manifests(heir, key);
  assert.equal(more.length, 0);
  assert.deepEqual(await idsIn(heir, one!), idsFrom(1, 40));
  const fences = one!.parts.map(({ path }) => /-(f\d)-/.exec(path)?.[1]);
  assert.deepEqual(fences, ["f1", "f2", "f2", "f2"]);
});

test("a living holder is left alone", async () => {
  const source = testSource(20);
  const [a, b] = [rig.process(source), rig.process(source)];
  const key = await rig.pull(a);
  const run = await startRun(a, "acme", key.pull);
  source.onBatch = async (batch) => {
    if (batch === 1 && source.requests.length === 1) await answer(b, key, splitRunId(run.id).run);
    return undefined;
  };
  await answer(a, key, splitRunId(run.id).run);
  assert.equal(source.requests.length, 1);
  assert.deepEqual(
    b.logged.map(({ facts }) => facts.why),
    ["held"],
  );
});

test("a lost reply to any write, applied or not, changes nothing in the result", async () => {
  const probe = rig.process(testSource(12), { sliceBytes: 1 });
  const probeKey = await rig.pull(probe);
  const counted = await startRun(probe, "acme", probeKey.pull);
  const before = probe.faults.writes;
  await answer(probe, probeKey, splitRunId(counted.id).run);
  const writes = probe.faults.writes - before;
  assert.ok(writes > 10);
  for (const fate of ["lose", "lose reply", "late"] as const) {
    for (let unlucky = 1; unlucky <= writes; unlucky++) {
      const source = testSource(12);
      const deps = rig.process(source, { sliceBytes: 1, backoffSeconds: 0 });
      deps.hurry(20);
      const key = await rig.pull(deps);
      const run = await startRun(deps, "acme", key.pull);
      const start = deps.faults.writes;
      deps.faults.onWrite = (_, count) => (count - start === unlucky ? fate : "send");
      await answer(deps, key, splitRunId(run.id).run).catch(() => undefined);
      // A wake entry or a blob that was lost ends the try; the run is found again when its lease is over.
      deps.faults.dateShiftMs = 3600_000;
      await answer(deps, key, splitRunId(run.id).run);
      const [one, ...more] = await manifests(deps, key);
      assert.equal(more.length, 0, `${fate} of write ${unlucky}`);
      assert.deepEqual(await idsIn(deps, one!), idsFrom(1, 12), `${fate} of write ${unlucky}`);
      assert.equal((await getRun(deps, "acme", run.id)).state, "published");
    }
  }
});

test("a crash before or after any write is mended by the next claimer", async () => {
  for (const fate of ["die before", "die after"] as const) {
    for (let last = 1; ; last++) {
      const source = testSource(12);
      const victim = rig.process(source, { sliceBytes: 1 });
      const heir = rig.process(source, { sliceBytes: 1 });
      heir.faults.dateShiftMs = 3600_000;
      const key = await rig.pull(victim);
      const run = await startRun(victim, "acme", key.pull);
      const start = victim.faults.writes;
      victim.faults.onWrite = (_, count) => (count - start === last ? fate : "send");
      await answer(victim, key, splitRunId(run.id).run).catch(() => undefined);
      const died = victim.faults.dead;
      // No doorbell comes: the wake index alone brings the heir to it.
      await tick(heir, Date.now() + 600_000);
      for (const { bell } of heir.bells) await answer(heir, key, bell.run);
      const [one, ...more] = await manifests(heir, key);
      assert.equal(more.length, 0, `${fate} write ${last}`);
      assert.deepEqual(await idsIn(heir, one!), idsFrom(1, 12), `${fate} write ${last}`);
      const view = await getRun(heir, "acme", run.id);
      assert.deepEqual([view.state, view.rows], ["published", 12], `${fate} write ${last}`);
      const cursor = await heir.store.runs.cursor(key);
      assert.deepEqual(
        [cursor?.value.activeRun, cursor?.value.watermark, cursor?.value.seq, cursor?.value.published],
        [null, "12", 1, 1],
      );
      assert.ok(victim.events.length + heir.events.length >= 1);
      if (!died) break;
    }
  }
});

test("the SDK's own retry after a lost reply meets 412 on our own operation, which counts as done", async () => {
  const source = testSource(5);
  const deps = rig.process(source);
  const key = await rig.pull(deps);
  const run = await startRun(deps, "acme", key.pull);
  let batches = 0;
  deps.faults.onWrite = (request) => {
    // The plan's write: applied, its reply lost; the hold repeats it with the ETag that it no longer has.
    if (!request.url.includes("$batch")) return "send";
    batches += 1;
    return batches === 3 ? "lose reply" : "send";
  };
  await answer(deps, key, splitRunId(run.id).run);
  assert.equal(source.requests.length, 1);
  assert.equal((await getRun(deps, "acme", run.id)).state, "published");
});
