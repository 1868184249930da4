import assert from "node:assert/strict";
import { test } from "node:test";
import { createAskedBound } from "./asked.ts";
import type { JournalFacts } from "./line.ts";

const DENIED: JournalFacts = { event: "request", decision: "deny", asked: ["Salary"] };

test("after a hundred denials in an hour `asked` is left out of further ones, until the next hour", () => {
  let nowMs = 5 * 3_600_000;
  const bound = createAskedBound(() => nowMs);
  for (let count = 1; count <= 100; count += 1) assert.deepEqual(bound(DENIED), DENIED);
  assert.deepEqual(bound(DENIED), { event: "request", decision: "deny" });
  const allowed: JournalFacts = { event: "request", decision: "allow", object: "dbo.Orders" };
  assert.deepEqual(bound(allowed), allowed);
  nowMs += 3_599_999;
  assert.equal(bound(DENIED).asked, undefined);
  nowMs += 1;
  assert.deepEqual(bound(DENIED), DENIED);
});
