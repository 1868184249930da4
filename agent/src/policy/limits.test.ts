import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_LIMITS } from "@sallyport/shared/schema/operations.ts";
import fc from "fast-check";
import { smallestLimits } from "./limits.ts";

test("the smallest stated limit counts, the default only where none is stated, the request always", () => {
  const asked = { ...DEFAULT_LIMITS, rows: 1e9, seconds: 60 };
  assert.deepEqual(smallestLimits([undefined, {}], asked), { ...DEFAULT_LIMITS, seconds: 60 });
  // An owner may allow more than the default.
  assert.equal(smallestLimits([{ rows: 2e8 }, { rows: 1e8 }], asked).rows, 1e8);
  assert.equal(smallestLimits([{ rows: 2e8 }], { ...asked, rows: 7 }).rows, 7);
  assert.equal(smallestLimits([{ cellBytes: 10 }, undefined, { cellBytes: 20 }], asked).cellBytes, 10);
});

test("by properties: never above what any level or the request says, and the order of levels never matters", () => {
  const size = fc.integer({ min: 1, max: 1e9 });
  const level = fc.record(
    { rows: size, bytes: size, seconds: size, cellBytes: size, rowBytes: size },
    { requiredKeys: [] },
  );
  const asked = fc.record({ rows: size, bytes: size, seconds: size, cellBytes: size, rowBytes: size });
  fc.assert(
    fc.property(fc.array(level, { maxLength: 3 }), asked, (levels, request) => {
      const least = smallestLimits(levels, request);
      assert.deepEqual(smallestLimits(levels.toReversed(), request), least);
      for (const name of Object.keys(request) as (keyof typeof request)[]) {
        const stated = levels.flatMap((each) => each[name] ?? []);
        for (const most of [...stated, request[name]]) assert.ok(least[name] <= most, name);
        // And no smaller than the smallest of them, or the default where nobody says anything.
        const allowed = stated.length > 0 ? stated : [DEFAULT_LIMITS[name]];
        assert.ok([...allowed, request[name]].includes(least[name]), name);
      }
    }),
  );
});
