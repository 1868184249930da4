import assert from "node:assert/strict";
import { test } from "node:test";
import { POLICY } from "./decisions/test-ask.ts";
import { findConnection } from "./find-connection.ts";

test("a connection is found by its own name, and by none that every object has", () => {
  assert.equal(findConnection(POLICY, "erp"), POLICY.connections.erp);
  for (const name of ["ERP", "", "constructor", "__proto__", "toString"]) {
    assert.equal(findConnection(POLICY, name), undefined, name);
  }
});
