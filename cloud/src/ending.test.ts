import assert from "node:assert/strict";
import { it } from "node:test";
import { createEnding } from "./ending.ts";

/** Whether it has settled by now, without waiting for it. */
const isOver = async (work: Promise<unknown>) =>
  Promise.race([work.then(() => true), new Promise((resolve) => setImmediate(() => resolve(false)))]);

it("everybody is told at once, and what comes last waits for the last invocation", async () => {
  const ending = createEnding(3_600_000);
  const order: string[] = [];
  ending.stopping.addEventListener("abort", () => order.push("told"));
  ending.atLast(async () => void order.push("last"));
  ending.began();
  ending.began();
  ending.over();
  ending.began();
  const end = ending.end();
  assert.deepEqual(order, ["told"]);
  ending.over();
  assert.equal(await isOver(end), false);
  ending.over();
  await end;
  assert.deepEqual(order, ["told", "last"]);
});

it("an idle process ends at once, and once", async () => {
  const ending = createEnding(3_600_000);
  let times = 0;
  ending.atLast(async () => void times++);
  ending.began();
  ending.over();
  await Promise.all([ending.end(), ending.end()]);
  assert.equal(times, 1);
});

it("an invocation that does not end is not waited for for ever", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const ending = createEnding(3_000);
  const order: string[] = [];
  ending.atLast(async () => void order.push("last"));
  ending.atLast(() => {
    throw new Error("a collector that is broken");
  });
  ending.began();
  const end = ending.end();
  t.mock.timers.tick(2_999);
  assert.equal(await isOver(end), false);
  t.mock.timers.tick(1);
  await end;
  assert.deepEqual(order, ["last"]);
});
