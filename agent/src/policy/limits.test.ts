import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_LIMITS } from "@sallyport/shared/schema/operations.ts";
import { smallestLimits } from "./limits.ts";

test("the smallest stated limit counts, the default only where none is stated, the request always", () => {
  const asked = { ...DEFAULT_LIMITS, rows: 1e9, seconds: 60 };
  assert.deepEqual(smallestLimits([undefined, {}], asked), { ...DEFAULT_LIMITS, seconds: 60 });
  // An owner may allow more than the default.
  assert.equal(smallestLimits([{ rows: 2e8 }, { rows: 1e8 }], asked).rows, 1e8);
  assert.equal(smallestLimits([{ rows: 2e8 }], { ...asked, rows: 7 }).rows, 7);
  assert.equal(smallestLimits([{ cellBytes: 10 }, undefined, { cellBytes: 20 }], asked).cellBytes, 10);
});
