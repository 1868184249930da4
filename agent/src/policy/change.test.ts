/** What the owner's words for writing and calling allow, and nothing beside it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_LIMITS } from "@sallyport/shared/schema/operations.ts";
import type { SqlCall, SqlWrite } from "@sallyport/shared/schema/write-operations.ts";
import { type Decision, decide } from "./decide.ts";
import { parsePolicy } from "./file.ts";

const NOW = new Date("2026-05-01T12:00:00Z");
const POLICY = parsePolicy(
  `
v: 1
connections:
  erp:
    kind: mssql
    address: sql01:1433
    database: ERP
    tls: { mode: required }
    logins: [svc]
    limits: { rows: 900 }
    rules:
      - { id: read, allow: [table], tables: [dbo.OrderStatus], columns: "*" }
      - id: status
        allow: [insert, update]
        tables: [dbo.OrderStatus, "hr.*"]
        columns: [OrderId, Status, ChangedAt]
        key: [OrderId]
        limits: { rowsPerRequest: 100, rowsPerDay: 2000 }
        until: 2026-12-31
      - { id: gone, allow: [delete], tables: [dbo.OrderStatus], columns: [OrderId], key: [OrderId], callers: ["key:sp_a"] }
      - { id: kept, allow: [upsert], tables: [dbo.Kept], columns: [Id, V], key: [Id], requestTable: dbo.Requests }
      - id: close
        allow: [call]
        procedure: dbo.CloseOrder
        parameters:
          orderId: int
          reason: { type: nvarchar(100), in: [paid, void] }
          total: { type: "decimal(18,4)", output: true }
          lines: { tableType: dbo.Lines, columns: { Id: int, Price: "decimal(9,2)" } }
        returns: [[Result]]
        effect: write
        until: 2026-12-31
      - { id: peek, allow: [call], procedure: hr.Peek, effect: read }
      - { id: look, allow: [call], procedure: dbo.Look, effect: read }
      - { id: never, deny: all, tables: ["hr.*"] }
`,
  NOW,
);

const ask = (operation: SqlWrite | SqlCall, caller = "key:sp_b", now = NOW): Decision =>
  decide(POLICY, { connection: "erp", operation, limits: DEFAULT_LIMITS, user: "svc", signIn: "sql", caller }, now);
const write = (change: Partial<SqlWrite> = {}): SqlWrite => ({
  ...{ op: "sql.write", table: "dbo.OrderStatus", action: "insert", columns: ["OrderId", "Status"] },
  ...change,
});
const lines = { columns: ["Id", "Price"], rows: [[1, "2.50"]] };
const call = (change: Partial<SqlCall> = {}): SqlCall => ({
  op: "sql.call",
  procedure: "dbo.CloseOrder",
  parameters: { orderId: 1, reason: "paid", lines },
  effect: "write",
  ...change,
});
const said = (decision: Decision): string => ("allow" in decision ? decision.allow.rule : decision.deny.code);

test("each word allows itself, none another, and the rule's limits hold", () => {
  const decision = ask(write());
  assert.ok("allow" in decision);
  assert.deepEqual([decision.allow.rule, decision.allow.limits.rows], ["status", 100]);
  assert.equal(said(ask(write({ action: "update", table: "DBO.orderstatus" }))), "status");
  for (const action of ["delete", "upsert", "replace"] as const) {
    assert.equal(
      said(ask(write({ action, columns: action === "delete" ? ["OrderId"] : ["OrderId", "Status"] }))),
      "policy.denied",
    );
  }
  assert.equal(said(ask(write({ action: "delete", columns: ["OrderId"] }), "key:sp_a")), "gone");
});

test("columns, denials and the end of a grant count as they do for reading", () => {
  assert.equal(said(ask(write({ columns: ["OrderId", "Secret"] }))), "policy.denied");
  assert.equal(said(ask(write({ table: "hr.People" }))), "policy.denied");
  assert.equal(said(ask(write({ table: "sys.objects" }))), "policy.denied");
  assert.equal(said(ask(write(), "key:sp_b", new Date("2027-01-01T00:00:00Z"))), "policy.denied");
  assert.equal(said(ask(call({ procedure: "hr.Peek", parameters: {} }))), "policy.denied");
});

test("what rows are found by has to be there, and a key for repeats needs the owner's table", () => {
  assert.equal(said(ask(write({ action: "update", columns: ["Status"] }))), "request.invalid");
  assert.equal(said(ask(write({ action: "update", columns: ["OrderId"] }))), "request.invalid");
  assert.equal(said(ask(write({ columns: ["OrderId", "orderid"] }))), "request.invalid");
  assert.equal(said(ask(write({ idempotencyKey: "a" }))), "request.invalid");
  assert.equal(
    said(ask(write({ table: "dbo.Kept", action: "upsert", columns: ["Id", "V"], idempotencyKey: "a" }))),
    "kept",
  );
});

test("a procedure's parameters are the declared ones, with listed values, and rows where rows belong", () => {
  assert.equal(said(ask(call())), "close");
  const { orderId, reason } = call().parameters;
  const cases: readonly (readonly [SqlCall["parameters"], string])[] = [
    [{ orderId: 1, reason: "paid" }, "request.invalid"],
    [{ orderId: 1, reason: "paid", lines, more: 1 }, "request.invalid"],
    [{ orderId: 1, reason: "other", lines }, "policy.denied"],
    [{ orderId: lines, reason: "paid", lines }, "request.invalid"],
    [{ orderId: 1, reason: "paid", lines: 5 }, "request.invalid"],
    [{ orderId: 1, reason: "paid", lines: { columns: ["Price", "Id"], rows: [] } }, "request.invalid"],
    [{ orderId: 1, reason: "paid", lines: { columns: ["Id", "Price"], rows: [[1]] } }, "request.invalid"],
    [{ orderId: orderId!, reason: reason!, lines, total: "1.5" }, "close"],
  ];
  for (const [parameters, expected] of cases) assert.equal(said(ask(call({ parameters }))), expected);
});

test("who calls a writing procedure a read is refused; the other way is only careful", () => {
  assert.equal(said(ask(call({ effect: "read" }))), "request.invalid");
  assert.equal(said(ask(call({ procedure: "dbo.Look", parameters: {}, effect: "write" }))), "look");
});
