/** What the words `changes` and `schema` of a rule allow. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_LIMITS, type Operation, operation as schema } from "@sallyport/shared/schema/operations.ts";
import { decide, type Judged } from "./decide.ts";
import { parsePolicy } from "./file.ts";

const NOW = new Date("2026-11-20T12:00:00Z");
const POLICY = parsePolicy(
  `
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
      - { id: look, allow: [schema], tables: ["dbo.*"], columns: "*", callers: ["key:looker"] }
      - { id: old, allow: [schema], tables: ["x.*"], until: 2026-11-19 }
      - { id: never, deny: all, tables: ["hr.*", dbo.Secret] }
  bare:
    kind: mssql
    address: sql01.corp.example:1433
    database: ERP
    tls: { mode: required }
    logins: [svc]
    rules:
      - { id: read, allow: [table], tables: [dbo.Orders] }
`,
  NOW,
);
const ask = (given: Partial<Operation>, caller = "pull:orders", connection = "erp") => {
  const operation = schema.parse(given) as Judged;
  return decide(POLICY, { connection, operation, limits: DEFAULT_LIMITS, user: "svc", signIn: "sql", caller }, NOW);
};
const verdict = (...given: Parameters<typeof ask>): string => {
  const decision = ask(...given);
  return "allow" in decision ? `allow ${decision.allow.rule}` : `deny ${decision.deny.rule ?? decision.deny.code}`;
};
const changes = (table: string, columns: "*" | string[]): Partial<Operation> => ({
  ...{ op: "sql.changes", table, columns, by: "changeTracking" },
});

for (const [expected, given] of [
  ["allow follow", changes("dbo.Orders", ["id", "Amount"])],
  ["allow follow", changes("log.Any", ["Id"])],
  ["deny policy.denied", changes("dbo.Orders", "*")],
  ["deny policy.denied", changes("dbo.Orders", ["Id", "Other"])],
  ["deny policy.denied", changes("dbo.Customers", ["Id"])],
  ["deny never", changes("hr.People", ["Id"])],
  ["deny policy.denied", changes("sys.objects", ["Id"])],
  ["allow read", { op: "sql.table", table: "dbo.Orders", columns: "*", watermark: "none" }],
  ["deny policy.denied", { op: "sql.table", table: "log.Any", columns: ["Id"], watermark: "none" }],
  ["allow follow", { op: "sql.schema" }],
  ["allow follow", { op: "sql.schema", table: "dbo.Orders" }],
  ["deny policy.denied", { op: "sql.schema", table: "dbo.Customers" }],
  ["deny policy.denied", { op: "sql.schema", table: "x.Old" }],
  ["deny never", { op: "sql.schema", table: "dbo.Secret" }],
] as const) {
  test(`${expected}: ${JSON.stringify(given)}`, () => assert.equal(verdict(given as Partial<Operation>), expected));
}

test("a schema shows what any rule in force shows, and hides what is denied", () => {
  const shownTo = (caller: string) => {
    const decision = ask({ op: "sql.schema" }, caller);
    assert.ok("allow" in decision && decision.allow.grant.kind === "schema");
    const { shown, hidden } = decision.allow.grant;
    return { shown, hidden };
  };
  const follow = { tables: ["dbo.Orders", "log.*"], columns: ["Id", "Amount"] };
  const hidden = ["hr.*", "dbo.Secret"];
  assert.deepEqual(shownTo("pull:orders"), { shown: [follow], hidden });
  assert.deepEqual(shownTo("key:looker"), { shown: [follow, { tables: ["dbo.*"], columns: "*" }], hidden });
  assert.equal(verdict({ op: "sql.schema", table: "dbo.Customers" }, "key:looker"), "allow look");
  assert.equal(verdict({ op: "sql.schema" }, "key:looker", "bare"), "deny policy.denied");
});
