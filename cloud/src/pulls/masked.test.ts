import assert from "node:assert/strict";
import { test } from "node:test";
import { splitRunId } from "../store/ids.ts";
import { testAzurite } from "../store/test-azurite.ts";
import { answer, idsFrom, idsIn, manifests, testRig } from "./test-rig.ts";
import { refused, testSource } from "./test-source.ts";
import { getRun, startRun } from "./views.ts";

const rig = await testRig(await testAzurite());
const KEY = "m".repeat(43);

/** A run of 30 rows that loses its first session before the third batch of ten. */
async function runInTwoSessions(maskKey: string | null) {
  const source = testSource(30);
  source.maskKey = maskKey;
  const deps = rig.process(source, { sliceBytes: 1 });
  const key = await rig.pull(deps);
  const run = await startRun(deps, "acme", key.pull);
  const again = () => answer(deps, key, splitRunId(run.id).run);
  source.onBatch = async (batch) => (batch === 3 ? refused("protocol.truncated") : undefined);
  await again();
  source.onBatch = async () => undefined;
  deps.advance(3600_000);
  return { source, deps, key, run, again };
}

test("a run whose columns are hashed asks its later sessions for the mask key of its first", async () => {
  const { source, deps, key, again } = await runInTwoSessions(KEY);
  await again();
  assert.deepEqual(
    source.requests.map(({ maskKey }) => maskKey),
    [undefined, KEY],
  );
  const [manifest] = await manifests(deps, key);
  assert.deepEqual(await idsIn(deps, manifest!), idsFrom(1, 30));
});

test("a run that hashes nothing is served by whoever comes", async () => {
  const { source, deps, key, again } = await runInTwoSessions(null);
  await again();
  assert.deepEqual(
    source.requests.map(({ maskKey }) => maskKey),
    [undefined, undefined],
  );
  assert.equal((await manifests(deps, key)).length, 1);
});

test("while no agent has that key the run waits, says why, and keeps what it has", async () => {
  const { source, deps, key, run, again } = await runInTwoSessions(KEY);
  source.onBatch = async () => refused("agent.mask_key");
  await again();
  const waiting = await getRun(deps, "acme", run.id);
  assert.deepEqual([waiting.state, waiting.error?.code, waiting.slices], ["waiting", "agent.mask_key", 2]);
  assert.match(waiting.error?.advice ?? "", /mask-key export/);
  source.onBatch = async () => undefined;
  deps.advance(3600_000);
  await again();
  const [manifest] = await manifests(deps, key);
  assert.deepEqual(await idsIn(deps, manifest!), idsFrom(1, 30));
});
