import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePolicy } from "../policy/file.ts";
import { isPlausible } from "./plausible.ts";

const POLICY = parsePolicy(`
v: 1
connections:
  erp:
    kind: mssql
    address: sql01.corp.example:1433
    database: ERP
    tls: { mode: required }
    logins: [svc]
    rules:
      - { id: read, allow: [table], tables: [dbo.Orders], columns: "*" }
      - { id: follow, allow: [changes, schema], tables: [dbo.Orders, "log.*"], columns: [Id, Amount] }
      - { id: status, allow: [insert, update], tables: [dbo.Status], columns: [Id, What], key: [Id] }
      - { id: close, allow: [call], procedure: dbo.Close, effect: write }
      - { id: never, deny: all, tables: ["hr.*", dbo.Secret] }
`);

const report = (more: object) =>
  isPlausible(
    {
      ...{ say: "request", request: "0".repeat(32), caller: "pull:orders", connection: "erp", decision: "allow" },
      ...{ login: "l".repeat(43), seconds: 60, bytes: 1 },
      ...more,
    } as Parameters<typeof isPlausible>[0],
    false,
    POLICY,
  );

test("of changes and schemas is believed what their rule allows", () => {
  assert.ok(report({ op: "sql.changes", object: "dbo.Orders", rule: "follow" }));
  assert.ok(!report({ op: "sql.changes", object: "dbo.Orders", rule: "read" }));
  assert.ok(!report({ op: "sql.changes", object: "dbo.Secret", rule: "follow" }));
  assert.ok(!report({ op: "sql.changes", rule: "follow" }));
  assert.ok(!report({ op: "sql.table", object: "log.Any", rule: "follow" }));
  assert.ok(report({ op: "sql.schema", rule: "follow" }));
  assert.ok(report({ op: "sql.schema", object: "dbo.Orders", rule: "follow" }));
  assert.ok(!report({ op: "sql.schema", rule: "read" }));
  assert.ok(!report({ op: "sql.schema", object: "hr.People", rule: "follow" }));
});

test("of writes and calls is believed the action that the rule allows, and the owner's own word of the effect", () => {
  const write = { op: "sql.write", object: "dbo.Status", rule: "status", rows: 1 };
  assert.ok(report({ ...write, action: "insert" }));
  assert.ok(!report({ ...write, action: "replace" }));
  assert.ok(!report(write));
  const call = { op: "sql.call", object: "dbo.Close", rule: "close" };
  assert.ok(report({ ...call, effect: "write" }));
  assert.ok(!report({ ...call, effect: "read" }));
  assert.ok(!report(call));
});
