import assert from "node:assert/strict";
import { it } from "node:test";
import { createPermits } from "./permits.ts";

const ALWAYS = new AbortController().signal;

it("gives as many as there are, and then one for each that comes back, in the order of asking", async () => {
  const acquire = createPermits(2, 10_000);
  const [first, second] = [await acquire(ALWAYS), await acquire(ALWAYS)];
  const order: string[] = [];
  const turn = async (name: string) => {
    const release = await acquire(ALWAYS);
    order.push(name);
    return release;
  };
  const [third, fourth] = [turn("third"), turn("fourth")];
  first();
  first(); // giving back twice gives nothing away
  const releaseThird = await third;
  assert.deepEqual(order, ["third"]);
  second();
  await fourth;
  assert.deepEqual(order, ["third", "fourth"]);
  releaseThird();
  assert.equal(typeof (await acquire(ALWAYS)), "function");
});

it("who waits too long gets sink.busy, and takes no permit with it", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const acquire = createPermits(1, 20_000);
  const release = await acquire(ALWAYS);
  const late = assert.rejects(acquire(ALWAYS), { code: "sink.busy" });
  t.mock.timers.tick(20_000);
  await late;
  release();
  assert.equal(typeof (await acquire(ALWAYS)), "function");
});

it("who gives up waiting takes no permit with it, and leaves the turn to the next", async () => {
  const acquire = createPermits(1, 3_600_000);
  const release = await acquire(ALWAYS);
  const stop = new AbortController();
  const left = assert.rejects(acquire(stop.signal), { code: "request.cancelled" });
  const next = acquire(ALWAYS);
  stop.abort();
  await left;
  await assert.rejects(acquire(AbortSignal.abort()), { code: "request.cancelled" });
  release();
  assert.equal(typeof (await next), "function");
});
