import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { splitRunId } from "../store/ids.ts";
import { testAzurite } from "../store/test-azurite.ts";
import { answer, idsFrom, idsIn, manifests, testRig } from "./test-rig.ts";
import { refused, testSource } from "./test-source.ts";
import { getRun, startRun } from "./views.ts";

const rig = await testRig(await testAzurite());

/** A run whose agent is revoked before its third batch of ten rows, as `settings` has it cut into slices. */
async function revokedRun(
  onBatch: (signal: AbortSignal) => Promise<ReturnType<typeof refused> | undefined>,
  settings = {},
) {
  const source = testSource(60);
  const deps = rig.process(source, { sliceBytes: 1, ...settings });
  const key = await rig.pull(deps);
  const run = await startRun(deps, "acme", key.pull);
  const again = () => answer(deps, key, splitRunId(run.id).run);
  const view = () => getRun(deps, "acme", run.id);
  let revoked = false;
  source.mayServe = async () => !revoked;
  source.onBatch = async (batch, _, signal) => {
    if (batch !== 3) return undefined;
    revoked = true;
    return onBatch(signal);
  };
  await again();
  return { source, deps, key, again, view };
}

const GOES_ON = async () => undefined;

test("no slice is committed once the agent was revoked; another agent goes on from the last one", async () => {
  const { source, deps, key, again, view } = await revokedRun(GOES_ON);
  const waiting = await view();
  assert.deepEqual([waiting.state, waiting.error?.code], ["waiting", "agent.revoked"]);
  assert.deepEqual([waiting.slices, waiting.rows], [2, 20]);
  assert.deepEqual(await manifests(deps, key), []);
  // A revocation is no fault of the run: it costs no claim.
  assert.equal((await deps.store.runs.run(key, splitRunId(waiting.id).run))?.value.claims, 0);
  source.onBatch = GOES_ON;
  source.mayServe = async () => true;
  deps.advance(60_000);
  await again();
  const [manifest] = await manifests(deps, key);
  assert.deepEqual(await idsIn(deps, manifest!), idsFrom(1, 60));
  assert.equal((source.requests.at(-1)!.operation as { position?: string }).position, "20");
});

test("nor are rows that were staged, or the last ones of a session", async () => {
  const { deps, key, view } = await revokedRun(GOES_ON, { sliceBytes: 2 ** 30 });
  const waiting = await view();
  assert.deepEqual([waiting.state, waiting.error?.code, waiting.slices], ["waiting", "agent.revoked", 0]);
  assert.deepEqual(await manifests(deps, key), []);
});

test("a session in which nothing moves is ended at the next renewal of the lease", async () => {
  const stands = async (signal: AbortSignal) => {
    if (!signal.aborted) await once(signal, "abort");
    return refused("request.cancelled");
  };
  const { view } = await revokedRun(stands, { leaseSeconds: 3 });
  const waiting = await view();
  assert.deepEqual([waiting.state, waiting.error?.code, waiting.slices], ["waiting", "agent.revoked", 2]);
});

test("a session that the relay cut first says the same", async () => {
  const { view } = await revokedRun(async () => refused("protocol.truncated"));
  assert.equal((await view()).error?.code, "agent.revoked");
});

test("a registry that does not answer commits nothing and ends no run", async () => {
  const source = testSource(30);
  const deps = rig.process(source, { sliceBytes: 1 });
  const key = await rig.pull(deps);
  const run = await startRun(deps, "acme", key.pull);
  source.mayServe = () => Promise.reject(new Error("no answer"));
  await answer(deps, key, splitRunId(run.id).run);
  const waiting = await getRun(deps, "acme", run.id);
  assert.deepEqual([waiting.state, waiting.error?.code, waiting.slices], ["waiting", "storage.failed", 0]);
});
