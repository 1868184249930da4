import assert from "node:assert/strict";
import { test } from "node:test";
import { places } from "./places.ts";

test("a place is given back once, and neither a tenant nor all together have more than they may", () => {
  const { take } = places(3, 2);
  const [first, second] = [take("a"), take("a")];
  assert.ok(first !== undefined && second !== undefined);
  assert.equal(take("a"), undefined);
  const other = take("b");
  assert.ok(other !== undefined);
  assert.equal(take("c"), undefined);
  first();
  first();
  assert.ok(take("a") !== undefined);
  assert.equal(take("b"), undefined);
});
