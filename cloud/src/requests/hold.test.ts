/** Holding a request while its storage loses answers. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Stored } from "../store/record.ts";
import type { RequestRecord } from "../store/requests.ts";
import { claim, hold, leaseFrom } from "./hold.ts";
import { makeRequest } from "./make.ts";
import { by, DONE, faulty, idOf, read, rig, store } from "./test-rig.ts";

async function held() {
  const { faults, ...parts } = faulty();
  const { deps } = rig(async () => DONE, parts);
  const id = idOf(await makeRequest(deps, by, read()));
  const find = async () => (await store.requests.get("acme", id)) as Stored<RequestRecord>;
  const mine = (await claim(deps, await find()))!;
  let lost = 0;
  const it = hold(deps, mine, () => {
    lost += 1;
  });
  it.release();
  return { deps, faults, find, it, lost: () => lost };
}

test("a renewal that was applied and whose answer was lost takes nothing from the holder", async () => {
  const { deps, faults, find, it, lost } = await held();
  faults.onWrite = () => "lose reply";
  await assert.rejects(it.write({ leaseUntil: leaseFrom(deps, 1) }));
  faults.onWrite = () => "send";
  assert.equal(await it.write({ leaseUntil: leaseFrom(deps, 2) }), true);
  assert.deepEqual([(await find()).value.leaseUntil, lost()], [leaseFrom(deps, 2), 0]);
  assert.equal(await it.write({ state: "succeeded", endedAt: deps.now().toISOString() }), true);
  assert.equal((await find()).value.state, "succeeded");
});

test("who has taken a request over writes, and the one before does not", async () => {
  const { find, it, lost } = await held();
  const later = rig(async () => DONE);
  later.pass(61);
  const taken = await claim(later.deps, await find());
  assert.ok(taken !== undefined);
  assert.equal(await it.write({ state: "failed" }), false);
  assert.equal(await it.write({ state: "failed" }), false);
  assert.deepEqual(
    [(await find()).value.state, (await find()).value.holder, lost()],
    ["running", taken.value.holder, 1],
  );
});

test("a claim whose answer was lost is a claim, once it is asked for again by its own client", async () => {
  const { faults, ...parts } = faulty();
  const { deps } = rig(async () => DONE, parts);
  const id = idOf(await makeRequest(deps, by, read()));
  const stored = (await store.requests.get("acme", id))!;
  // The client of the storage repeats by itself what got no answer, and is told of its own change.
  const update: typeof store.requests.update = async (before, value) => {
    await parts.store.requests.update(before, value);
    return parts.store.requests.update(before, value);
  };
  const twice = { ...deps, store: { ...deps.store, requests: { ...deps.store.requests, update } } };
  const mine = await claim(twice, stored);
  assert.deepEqual(
    [mine?.value.state, mine?.value.holder],
    ["running", (await store.requests.get("acme", id))?.value.holder],
  );
});
