import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_LIMITS } from "@sallyport/shared/schema/operations.ts";
import { decide } from "./decide.ts";
import { ask, NOW, POLICY, verdict } from "./decisions/test-ask.ts";
import { DATABASE } from "./decisions/test-database.ts";
import { DIRECTORY } from "./decisions/test-directory.ts";
import { MASKS } from "./decisions/test-masks.ts";

const TABLES = { DATABASE, MASKS, DIRECTORY };

test("decisions: requests to databases and directories, each with the rule or the denial that it gets", async (t) => {
  assert.ok(Object.values(TABLES).flat().length >= 150);
  for (const [name, rows] of Object.entries(TABLES)) {
    for (const [expected, wish] of rows) {
      await t.test(`${name} ${expected}: ${JSON.stringify(wish)}`, () => assert.equal(verdict(ask(wish)), expected));
    }
  }
});

test("an allowed request says what the owner's rule leaves of it", () => {
  const decision = ask({ table: "dbo.Customers", columns: ["segment"] });
  assert.ok("allow" in decision);
  assert.deepEqual(decision.allow.grant, {
    kind: "table",
    rule: "customers-2",
    columns: ["CustomerId", "Segment"],
    named: true,
  });
  assert.deepEqual(decision.allow.target, {
    host: "sql01.corp.example",
    port: 1433,
    database: "ERP",
    tls: { mode: "required" },
    refuseOverPrivileged: true,
  });
});

test("a pattern is told apart from a name, so that it never covers a view", () => {
  const byPattern = ask({ table: "archive.Orders_1" });
  const byName = ask({ table: "dbo.ordersview" });
  assert.ok("allow" in byPattern && byPattern.allow.grant.kind === "table");
  assert.ok("allow" in byName && byName.allow.grant.kind === "table");
  assert.equal(byPattern.allow.grant.named, false);
  assert.equal(byName.allow.grant.named, true);
});

test("the smallest limit counts: file, connection, rule, request", () => {
  const first = ask({ table: "dbo.Orders" });
  assert.ok("allow" in first);
  assert.deepEqual(first.allow.limits, { ...DEFAULT_LIMITS, rows: 1_000_000, bytes: 2 * 2 ** 30, seconds: 600 });
  const narrow = ask({ table: "dbo.Customers", columns: ["Segment"] });
  assert.ok("allow" in narrow);
  assert.equal(narrow.allow.limits.rows, 5);
  const own = decide(
    POLICY,
    {
      connection: "erp",
      operation: { op: "sql.table", table: "dbo.Orders", columns: "*", watermark: "none" },
      limits: { ...DEFAULT_LIMITS, rows: 3, cellBytes: 9 },
      user: "svc_sallyport",
      signIn: "sql",
      caller: "key:k",
    },
    NOW,
  );
  assert.ok("allow" in own);
  assert.equal(own.allow.limits.rows, 3);
  assert.equal(own.allow.limits.cellBytes, 9);
});

test("where a rule masks, a request cannot choose the limits that are held against what is read", () => {
  const limitsFor = (columns: readonly string[], table: string) => {
    const operation = { op: "sql.table" as const, table, columns: [...columns], watermark: "none" as const };
    const limits = { ...DEFAULT_LIMITS, rows: 3, bytes: 99, cellBytes: 9, rowBytes: 10 };
    const facts = { connection: "people", limits, user: "svc_sallyport", signIn: "sql", caller: "key:k" };
    const decision = decide(POLICY, { ...facts, operation }, NOW);
    assert.ok("allow" in decision);
    return decision.allow.limits;
  };
  const { cellBytes, rowBytes } = DEFAULT_LIMITS;
  const { seconds } = limitsFor(["Email"], "dbo.People");
  assert.deepEqual(limitsFor(["Email"], "dbo.People"), { rows: 3, bytes: 99, seconds, cellBytes, rowBytes });
  assert.deepEqual(limitsFor(["Id"], "dbo.Wide"), { rows: 3, bytes: 99, seconds, cellBytes: 9, rowBytes: 10 });
});

test("a rule's masks go with its grant, and no rule's without", () => {
  const masked = ask({ connection: "people", table: "dbo.People", columns: ["PersonId", "Email"] });
  assert.ok("allow" in masked && masked.allow.grant.kind === "table");
  assert.deepEqual(masked.allow.grant.mask, { Email: "hash", BirthDate: "year", Iban: "last4" });
  const open = ask({ connection: "people", table: "dbo.Wide" });
  assert.ok("allow" in open && open.allow.grant.kind === "table");
  assert.equal("mask" in open.allow.grant, false);
});

test("two rules that would have a column leave in two ways refuse it, and name neither mask", () => {
  const decision = ask({ connection: "people", table: "dbo.Two", columns: ["Id", "Mail"] });
  assert.ok("deny" in decision);
  assert.equal(decision.deny.code, "policy.ambiguous");
  assert.doesNotMatch(decision.deny.reason, /hash|null/);
});

test("an owner hears of each rule that was near, the orchestrator of none", () => {
  const decision = ask({ connection: "people", table: "dbo.People", columns: ["PersonId", "Salary"] });
  assert.ok("deny" in decision);
  assert.deepEqual(decision.deny.considered, [{ rule: "read-people", why: "does not list Salary" }]);
  assert.equal(decision.deny.reason, "No rule allows reading these columns of dbo.People.");
});

test("a grant of a directory says what its connector must keep out, whatever a `*` brings", () => {
  const op = { op: "ad.search", base: "OU=Open,DC=corp,DC=example", classes: ["user"], attributes: ["title"] };
  const decision = ask({ op });
  assert.ok("allow" in decision && decision.allow.grant.kind === "directoryRead");
  assert.ok(decision.allow.grant.neverRead.oids.includes("1.2.840.113556.1.4.90"));
  assert.deepEqual(decision.allow.grant.denied, ["homePhone"]);
  // Wherever they are: the directory may have the base somewhere else than its name says.
  assert.ok(decision.allow.grant.denials.length > 1);
  assert.deepEqual(decision.allow.target, {
    ...{ host: "dc1.corp.example", port: 636, tls: { mode: "required" }, refuseOverPrivileged: true },
  });
});
