import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "./clock.ts";

test("a wait that no timer can hold is an error, not no wait at all", async () => {
  const { signal } = new AbortController();
  for (const ms of [2 ** 31, Number.POSITIVE_INFINITY, Number.NaN]) {
    await assert.rejects(systemClock.sleep(ms, signal), RangeError);
  }
  await systemClock.sleep(0, signal);
});
