import assert from "node:assert/strict";
import { test } from "node:test";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { createDailyRows, rowsKey } from "./daily-rows.ts";

const isCode = (code: string) => (error: unknown) => error instanceof SallyportError && error.code === code;
const DAY_MS = 86_400_000;

test("a rule's day is used up by what came in, reserved while it may come, and new at midnight UTC", () => {
  let nowMs = DAY_MS * 20_000;
  const daily = createDailyRows(new Map([[rowsKey("erp", "status"), 40]]), () => nowMs);
  const first = daily.reserve("erp", "status", 50, 100);
  assert.equal(first.rows, 50);
  const second = daily.reserve("erp", "status", 50, 100);
  assert.equal(second.rows, 10);
  assert.throws(() => daily.reserve("erp", "status", 1, 100), isCode("limit.sessions"));
  first.release(20);
  first.release(20);
  second.release(undefined);
  assert.equal(daily.reserve("erp", "status", 1000, 100).rows, 30);
  assert.equal(daily.reserve("erp", "other", 1000, 100).rows, 100);
  assert.equal(daily.reserve("erp", "unbounded", 1000, undefined).rows, 1000);
  nowMs += DAY_MS;
  assert.equal(daily.reserve("hr", "status", 1000, 100).rows, 100);
});

test("a day that is used up is limit.rows, and names the limit", () => {
  const daily = createDailyRows(new Map([[rowsKey("erp", "status"), 100]]), () => 0);
  assert.throws(
    () => daily.reserve("erp", "status", 1, 100),
    (error) => isCode("limit.rows")(error) && (error as SallyportError).detail.limit === "rowsPerDay",
  );
});
