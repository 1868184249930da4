import assert from "node:assert/strict";
import { test } from "node:test";
import { isRepeatable } from "./write-operations.ts";

test("a change is repeated by nobody unless it cannot be done twice, or does nothing", () => {
  const cases: readonly (readonly [operation: { readonly op: string }, isRepeated: boolean])[] = [
    [{ op: "sql.table" }, true],
    [{ op: "ad.search" }, true],
    [{ op: "ad.changes" }, true],
    [{ op: "sql.write" }, false],
    [{ op: "sql.call", ...{ effect: "write" } }, false],
    [{ op: "sql.call", ...{ effect: "read" } }, true],
    [{ op: "sql.write", ...{ idempotencyKey: "once-1" } }, true],
    [{ op: "ad.write" }, false],
    [{ op: "ad.write", ...{ dryRun: false } }, false],
    [{ op: "ad.write", ...{ dryRun: true } }, true],
  ];
  for (const [operation, isRepeated] of cases) {
    assert.equal(isRepeatable(operation), isRepeated, JSON.stringify(operation));
  }
});
