import assert from "node:assert/strict";
import { test } from "node:test";
import { warningOf } from "./open-transaction.ts";

test("a transaction is worth a warning when it is old, or when nothing can be read for it", () => {
  const codes = (...given: Parameters<typeof warningOf>) => warningOf(...given).map(({ code, facts }) => [code, facts]);
  assert.deepEqual(codes({ session: 53, seconds: 299 }, false), []);
  assert.deepEqual(codes({ session: 53, seconds: 300 }, false), [
    ["sql.open_transaction", { session: 53, seconds: 300 }],
  ]);
  assert.deepEqual(codes({ session: 53, seconds: 1 }, true), [["sql.open_transaction", { session: 53, seconds: 1 }]]);
  assert.deepEqual(codes(undefined, true), [["sql.open_transaction", {}]]);
  assert.deepEqual(codes(undefined, false), []);
});
