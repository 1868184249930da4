import assert from "node:assert/strict";
import { test } from "node:test";
import { createDayTurn } from "./day.ts";

test("each day begins once, whichever way the clock is set", () => {
  const DAY_MS = 86_400_000;
  let nowMs = 20_000 * DAY_MS;
  const isNew = createDayTurn(() => nowMs);
  const at = (day: number): boolean => {
    nowMs = day * DAY_MS;
    return isNew();
  };
  assert.deepEqual([20_000, 20_000.5, 20_001, 20_001].map(at), [false, false, true, false]);
  // A step back over midnight, and there again.
  assert.deepEqual([20_000.99, 20_001, 20_002].map(at), [false, false, true]);
  // Years ahead, and set right: the next day begins as ever.
  assert.deepEqual([22_000, 20_002.5, 20_003, 20_004].map(at), [true, false, true, true]);
});
