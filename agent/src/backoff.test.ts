import assert from "node:assert/strict";
import { test } from "node:test";
import { createBackoff } from "./backoff.ts";

test("waits are drawn below a ceiling that doubles up to its most, and begins anew after a reset", () => {
  const backoff = createBackoff(1_000, 60_000, () => 0.999999);
  const waits = Array.from({ length: 8 }, () => Math.round(backoff.nextMs()));
  assert.deepEqual(waits, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
  backoff.reset();
  assert.equal(Math.round(backoff.nextMs()), 1_000);
});

test("the smallest draw still waits, so that no loop spins", () => {
  const backoff = createBackoff(1_000, 60_000, () => 0);
  assert.deepEqual([backoff.nextMs(), backoff.nextMs()], [100, 100]);
});
