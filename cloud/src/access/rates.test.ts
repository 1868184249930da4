import assert from "node:assert/strict";
import { test } from "node:test";
import { createRates } from "./rates.ts";

test("a caller has its burst at once, then its steady rate, and is told how long to wait", () => {
  let nowMs = 0;
  const rates = createRates({ perSecond: 2, burst: 3 }, () => nowMs);
  const tooMany = { code: "api.too_many_calls", detail: { seconds: 1 } };
  for (let call = 0; call < 3; call++) rates.count("a");
  assert.throws(() => rates.count("a"), tooMany);
  // Whoever keeps calling is not punished for it.
  nowMs = 500;
  rates.count("a");
  assert.throws(() => rates.count("a"), tooMany);
  rates.count("b");
  nowMs = 3_600_000;
  for (let call = 0; call < 3; call++) rates.count("a");
  assert.throws(() => rates.count("a"), tooMany);
});

test("a slow rate says in whole seconds when the next call is let in", () => {
  const rates = createRates({ perSecond: 0.1, burst: 1 }, () => 0);
  rates.count("a");
  assert.throws(() => rates.count("a"), { code: "api.too_many_calls", detail: { seconds: 10 } });
});
