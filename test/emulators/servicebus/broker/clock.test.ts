import assert from "node:assert/strict";
import { test } from "node:test";
import { createClock, manualClock } from "./clock.ts";

const YEAR_MS = 365 * 86_400_000;

test("wakes in order of time, each at its own", () => {
  const { clock, advance } = manualClock(0);
  const woken: [string, number][] = [];
  for (const [name, dueMs] of [
    ["c", 30],
    ["a", 10],
    ["b", 20],
  ] as const)
    clock.at(dueMs, () => woken.push([name, clock.now()]));
  advance(20);
  assert.deepEqual(woken, [
    ["a", 10],
    ["b", 20],
  ]);
  advance(10);
  assert.deepEqual(woken.at(-1), ["c", 30]);
});

test("what was called off does not wake, and what a wake-up asks for does", () => {
  const { clock, advance } = manualClock(0);
  const woken: string[] = [];
  const callOff = clock.at(5, () => woken.push("called off"));
  clock.at(5, () => clock.at(6, () => woken.push("from within")));
  callOff();
  advance(10);
  assert.deepEqual(woken, ["from within"]);
});

test("a year is waited for in delays that a Node timer can hold", () => {
  const delays: number[] = [];
  let nowMs = 0;
  let run = () => {};
  const clock = createClock({
    now: () => nowMs,
    after(delayMs, wake) {
      delays.push(delayMs);
      run = wake;
      return () => {};
    },
  });
  let woken = false;
  clock.at(YEAR_MS, () => {
    woken = true;
  });
  while (!woken && delays.length < 100) {
    nowMs += delays.at(-1)!;
    run();
  }
  assert.equal(woken, true);
  assert.equal(nowMs, YEAR_MS);
  assert.ok(delays.every((delayMs) => delayMs < 2 ** 31));
});

test("after stop nothing wakes", () => {
  const { clock, advance } = manualClock(0);
  let woken = false;
  clock.at(1, () => {
    woken = true;
  });
  clock.stop();
  advance(10);
  assert.equal(woken, false);
});
