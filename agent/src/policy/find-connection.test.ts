import assert from "node:assert/strict";
import { test } from "node:test";
import type { Policy } from "@sallyport/shared/schema/policy.ts";
import { POLICY } from "./decisions/test-ask.ts";
import { findConnection, serverOf } from "./find-connection.ts";

test("a connection is found by its own name, and by none that every object has", () => {
  assert.equal(findConnection(POLICY, "erp"), POLICY.connections.erp);
  for (const name of ["ERP", "", "constructor", "__proto__", "toString"]) {
    assert.equal(findConnection(POLICY, name), undefined, name);
  }
});

const at = (kind: string, address: string): string =>
  serverOf({ connections: { it: { kind, address } } } as unknown as Policy, "it");

test("one server has one text, however a policy writes its address", () => {
  for (const address of ["sql01:1433", "SQL01:1433", "sql01:01433"]) assert.equal(at("mssql", address), "sql01:1433");
  assert.equal(at("mssql", "SQL01\\ERP"), "sql01\\erp");
  assert.equal(at("mssql", "[::1]:1433"), "::1:1433");
  assert.notEqual(at("mssql", "sql01:1434"), at("mssql", "sql01:1433"));
});

test("a directory is one on all its ports", () => {
  for (const address of ["dc1.corp.example:389", "DC1.corp.example:636"])
    assert.equal(at("activeDirectory", address), "dc1.corp.example");
});

test("a connection that the policy lacks is its own server, also by a name that every object has", () => {
  for (const name of ["crm", "constructor"]) assert.equal(serverOf({ connections: {} }, name), name);
});
