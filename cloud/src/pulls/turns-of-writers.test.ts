/** Writing Parquet takes turns, and a claim waits for its own before it asks the customer's system for anything. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { splitRunId } from "../store/ids.ts";
import { testAzurite } from "../store/test-azurite.ts";
import { cancelRun } from "./cancel.ts";
import { answer, type TestProcess, testRig } from "./test-rig.ts";
import { testSource } from "./test-source.ts";
import { getRun, startRun } from "./views.ts";

const rig = await testRig(await testAzurite());
const NEVER = new AbortController().signal;

/** A pull into Parquet with a run that is queued, in a process whose two turns are taken. */
async function crowded() {
  const source = testSource(20);
  const deps = rig.process(source);
  const key = await rig.pull(deps, { sink: { type: "blob", format: "parquet" } });
  const { id } = await startRun(deps, "acme", key.pull);
  const leave = [await deps.sinks.parquet.enter(NEVER), await deps.sinks.parquet.enter(NEVER)];
  return { source, deps, key, id, run: splitRunId(id).run, leave };
}

/** Until the claim has been made; it then waits for its turn. */
const claimed = async (deps: TestProcess, id: string) => {
  while ((await getRun(deps, "acme", id)).state !== "running") await new Promise((turn) => setImmediate(turn));
};

test("a claim begins its session when it is its turn, and gives the turn back", async () => {
  const { source, deps, key, id, run, leave } = await crowded();
  const answered = answer(deps, key, run);
  await claimed(deps, id);
  assert.equal(source.requests.length, 0);
  leave[0]!();
  await answered;
  const done = await getRun(deps, "acme", id);
  assert.deepEqual([done.state, done.rows, source.requests.length], ["published", 20, 1]);
  (await deps.sinks.parquet.enter(AbortSignal.abort()))();
});

test("one that is cancelled while it waits ends, and never had a session", async () => {
  const { source, deps, key, id, run } = await crowded();
  const answered = answer(deps, key, run);
  await claimed(deps, id);
  await cancelRun(deps, "acme", id, "somebody");
  await answered;
  assert.deepEqual([(await getRun(deps, "acme", id)).state, source.requests.length], ["cancelled", 0]);
});

test("a process that stops gives such a run back at once", async () => {
  const { source, deps, key, id, run } = await crowded();
  const drain = new AbortController();
  const answered = answer(deps, key, run, drain.signal);
  await claimed(deps, id);
  drain.abort();
  await answered;
  assert.deepEqual([(await getRun(deps, "acme", id)).state, source.requests.length], ["queued", 0]);
});

test("who waited too long comes again, at no cost but time, and has asked the source nothing", async () => {
  const { source, deps: crowd, key, id, run } = await crowded();
  const enter = () => Promise.reject(new SallyportError("sink.busy", "Other pulls write Parquet in this instance."));
  const deps = { ...crowd, sinks: { ...crowd.sinks, parquet: { ...crowd.sinks.parquet, enter } } };
  await answer(deps, key, run);
  const waiting = await getRun(deps, "acme", id);
  assert.deepEqual([waiting.state, waiting.error?.code, source.requests.length], ["waiting", "sink.busy", 0]);
  assert.equal((await deps.store.runs.run(key, run))?.value.claims, 0);
  assert.ok(crowd.bells.at(-1)?.atMs !== undefined, "it rings again later");
});
