import assert from "node:assert/strict";
import { test } from "node:test";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { createDailyRows, dailyLimitOf, rowsKey, type Writing } from "./daily-rows.ts";

const isCode = (code: string) => (error: unknown) => error instanceof SallyportError && error.code === code;
const DAY_MS = 86_400_000;
const rows = (rule: string, most: number, perDay: number | undefined): Writing => ({
  ...{ rule, limit: "rowsPerDay", rows: most, perDay },
});

test("a rule's day is used up by what came in, reserved while it may come, and new at midnight UTC", () => {
  let nowMs = DAY_MS * 20_000;
  const daily = createDailyRows(new Map([[rowsKey("erp", "status"), 40]]), () => nowMs);
  const first = daily.reserve("erp", rows("status", 50, 100));
  assert.equal(first.rows, 50);
  const second = daily.reserve("erp", rows("status", 50, 100));
  assert.equal(second.rows, 10);
  assert.throws(() => daily.reserve("erp", rows("status", 1, 100)), isCode("limit.sessions"));
  first.release(20);
  first.release(20);
  second.release(undefined);
  assert.equal(daily.reserve("erp", rows("status", 1000, 100)).rows, 30);
  assert.equal(daily.reserve("erp", rows("other", 1000, 100)).rows, 100);
  assert.equal(daily.reserve("erp", rows("unbounded", 1000, undefined)).rows, 1000);
  nowMs += DAY_MS;
  assert.equal(daily.reserve("hr", rows("status", 1000, 100)).rows, 100);
});

test("a day that is used up is limit.rows, and names the limit", () => {
  const daily = createDailyRows(new Map([[rowsKey("erp", "status"), 100]]), () => 0);
  assert.throws(
    () => daily.reserve("erp", rows("status", 1, 100)),
    (error) => isCode("limit.rows")(error) && (error as SallyportError).detail.limit === "rowsPerDay",
  );
});

test("a directory's passwords and deletions are counted each for itself, one at a time", () => {
  assert.equal(dailyLimitOf({ op: "ad.write", action: "delete" }), "deletesPerRun");
  for (const action of ["setPassword", "add"] as const)
    assert.equal(dailyLimitOf({ op: "ad.write", action }), "passwordSetsPerDay");
  assert.equal(dailyLimitOf({ op: "sql.write", action: "delete" }), "rowsPerDay");
  const daily = createDailyRows(new Map([[rowsKey("corp", "leavers", "deletesPerRun"), 1]]), () => 0);
  const one = (limit: Writing["limit"]): Writing => ({ rule: "leavers", limit, rows: 1, perDay: 2 });
  const last = daily.reserve("corp", one("deletesPerRun"));
  assert.throws(() => daily.reserve("corp", one("deletesPerRun")), isCode("limit.sessions"));
  daily.reserve("corp", one("passwordSetsPerDay")).release(0);
  last.release(1);
  assert.throws(
    () => daily.reserve("corp", one("deletesPerRun")),
    (error) => isCode("limit.rows")(error) && (error as SallyportError).detail.limit === "deletesPerRun",
  );
  for (const _ of [1, 2]) daily.reserve("corp", one("passwordSetsPerDay")).release(undefined);
  assert.throws(() => daily.reserve("corp", one("passwordSetsPerDay")), isCode("limit.rows"));
});
