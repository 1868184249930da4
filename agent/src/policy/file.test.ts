import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { digestPolicy, parsePolicy } from "./file.ts";

const NOW = new Date("2026-11-20T12:00:00Z");

const GOOD = `v: 1
updates: manual
connections:
  erp:
    kind: mssql
    address: sql01.corp.example:1433
    database: ERP
    tls: { mode: required, ca: C:\\ProgramData\\Sallyport\\ca\\corp.pem }
    logins: [svc_sallyport]
    signIn: [sql]
    limits: { sessions: 2, seconds: 3600, rows: 50000000, bytes: 20GiB, bytesPerDay: 100GiB, cellBytes: 16MiB, failedLogins: 3/1h }
    hours: { allow: ["22:00-06:00"], timezone: Europe/Oslo }
    rules:
      - id: orders
        allow: [table, changes, schema]
        tables: [dbo.Orders, dbo.OrderLines, "archive.Orders_*"]
        columns: "*"
      - id: customers
        allow: [table]
        tables: [dbo.Customers]
        columns: [CustomerId, Country]
        filterOn: [CustomerId]
      - id: open-invoices
        allow: [statement]
        name: openInvoices
        sql: SELECT InvoiceId, Amount FROM dbo.Invoices WHERE Due < @before AND Country = @country
        parameters: { before: date, country: { type: nchar(2), in: [NO, SE] } }
        returns: [InvoiceId, Amount]
      - id: never-hr
        deny: all
        tables: ["hr.*"]
`;

function problemsOf(text: string): readonly string[] {
  try {
    parsePolicy(text, NOW);
  } catch (error) {
    assert.ok(error instanceof SallyportError);
    assert.equal(error.code, "policy.invalid");
    return error.detail.problems as readonly string[];
  }
  return [];
}

test("the owner's example is understood", () => {
  const { erp } = parsePolicy(GOOD, NOW).connections;
  assert.deepEqual(erp?.limits, {
    sessions: 2,
    seconds: 3600,
    rows: 50_000_000,
    bytes: 20 * 2 ** 30,
    bytesPerDay: 100 * 2 ** 30,
    cellBytes: 16 * 2 ** 20,
    failedLogins: { count: 3, seconds: 3600 },
  });
  const statement = erp?.rules[2];
  assert.ok(statement !== undefined && "parameters" in statement);
  // YAML 1.2: NO is a country, not false.
  assert.deepEqual(statement.parameters, { before: { type: "date" }, country: { type: "nchar(2)", in: ["NO", "SE"] } });
});

test("a policy without connections denies everything, and is one", () => {
  assert.deepEqual(parsePolicy("v: 1\nconnections: {}\n", NOW), { v: 1, updates: "notify", connections: {} });
});

test("all mistakes come in one answer, each with its line", () => {
  const bad = GOOD.replace("updates: manual", "updates: often")
    .replace("    database: ERP\n", "    datebase: ERP\n")
    .replace("        filterOn: [CustomerId]\n", "        filterOn: []\n        masks: { Country: hash }\n")
    .replace("id: open-invoices", "id: orders")
    .replace("before: date", "before: DATE")
    .replace("deny: all", "deny: some");
  assert.deepEqual(
    problemsOf(bad).map((problem) => problem.replace(/: .*/, "")),
    [
      "line 2, updates",
      "line 4, connections.erp.database",
      "line 7, connections.erp.datebase",
      "line 22, connections.erp.rules[1].filterOn",
      "line 23, connections.erp.rules[1].masks",
      "line 24, connections.erp.rules[2].id",
      "line 28, connections.erp.rules[2].parameters.before",
      "line 31, connections.erp.rules[3].deny",
    ],
  );
});

const rule = (text: string): string => `${GOOD}      - ${text}\n`;

/** What is refused, and a piece of the answer. */
const REFUSED: readonly (readonly [text: string, answer: RegExp])[] = [
  ["", /the file is empty/],
  ["v: 1", /connections/],
  ["v: 2\nconnections: {}", /line 1, v/],
  ["v: 1\nconnections: {}\nother: 1", /line 3, other: unknown key/],
  ["v: 1\nconnections: {}\n__proto__: {}", /unknown key/],
  ["v: 1\nv: 1\nconnections: {}", /line 2: Map keys must be unique/],
  ["v: &a 1\nconnections: {}", /anchors/],
  ["v: 1\nconnections: &a {}\nlimits: *a", /aliases/],
  ["v: !!int 1\nconnections: {}", /tags/],
  ["v: !own 1\nconnections: {}", /tags|Unresolved/],
  ["%YAML 1.1\n---\nv: 1\nconnections: {}", /directives/],
  ["v: 1\nconnections: {}\n---\nv: 1", /more than one document/],
  ["{", /line 1/],
  ["[".repeat(50_000), /./],
  [`v: 1\nconnections: {}\n#${"x".repeat(256 * 1024)}`, /larger than 256 KiB/],
  [GOOD.replace("kind: mssql", "kind: mysql"), /line 5.*use mssql or activeDirectory/],
  [GOOD.replace("kind: mssql", "kind: activeDirectory"), /database: unknown key/],
  [GOOD.replace("erp:", "ERP:"), /use 1 to 40/],
  [GOOD.replace("sql01.corp.example:1433", "sql01.corp.example"), /host:port/],
  [GOOD.replace("sql01.corp.example:1433", '"*.corp.example:1433"'), /host:port/],
  [GOOD.replace("sql01.corp.example:1433", "sql01:70000"), /port/],
  [GOOD.replace("mode: required", "mode: off"), /tls.mode/],
  [GOOD.replace("logins: [svc_sallyport]", "logins: []"), /logins/],
  [GOOD.replace("signIn: [sql]", "signIn: [kerberos]"), /signIn/],
  [GOOD.replace("bytes: 20GiB", "bytes: 20GB"), /limits.bytes/],
  [GOOD.replace("bytes: 20GiB", "bytes: -1"), /limits.bytes/],
  [GOOD.replace("3/1h", "3 an hour"), /failedLogins/],
  [GOOD.replace("22:00-06:00", "22:00-22:00"), /empty/],
  [GOOD.replace("22:00-06:00", "25:00-06:00"), /hh:mm/],
  [GOOD.replace("Europe/Oslo", "Europe/Nowhere"), /time zone/],
  [GOOD.replace('"hr.*"', '"*"'), /schema.table/],
  [GOOD.replace('"hr.*"', '"*.People"'), /schema.table/],
  [GOOD.replace('"hr.*"', "a.b.c"), /schema.table/],
  [rule("{ id: s, allow: [table], tables: [sys.objects] }"), /never allowed/],
  [rule("{ id: s, allow: [table], tables: [Information_Schema.T] }"), /never allowed/],
  [rule("{ id: s, allow: [merge], tables: [dbo.T] }"), /`merge` is not one of/],
  [rule("{ id: s, allow: [insert], tables: [dbo.T] }"), /columns/],
  [rule("{ id: s, allow: [upsert], tables: [dbo.T], columns: [A] }"), /`upsert` needs a `key`/],
  [rule("{ id: s, allow: [delete], tables: [dbo.T], columns: [A], key: [B] }"), /B is not one of `columns`/],
  [rule("{ id: s, allow: [table, insert], tables: [dbo.T], columns: [A] }"), /insert|table/],
  [rule("{ id: s, allow: [call], procedure: dbo.P }"), /effect/],
  [rule("{ id: s, allow: [call, insert], procedure: dbo.P, effect: write }"), /allows nothing else/],
  [rule("{ id: s, allow: [table], tables: [dbo.T], until: 2026-02-30 }"), /no such day/],
  [rule("{ id: s, allow: [table], tables: [dbo.T], callers: [sp_erp] }"), /key:…/],
  [rule("{ id: s, allow: [table, statement], tables: [dbo.T] }"), /allows nothing else/],
  [rule("{ id: s, allow: [table], deny: all, tables: [dbo.T] }"), /either/],
  [rule("{ id: s, tables: [dbo.T] }"), /needs/],
  [rule("just words"), /a rule is a list/],
  [rule("{ id: two, allow: [statement], name: openInvoices, sql: SELECT 1, returns: [a] }"), /has this name/],
  [rule("{ id: s, allow: [raw] }"), /until/],
];

test("what is refused", async (t) => {
  for (const [text, answer] of REFUSED) {
    await t.test(String(answer), () => {
      const problems = problemsOf(text);
      assert.ok(problems.length > 0, "it was accepted");
      assert.match(problems.join("\n"), answer);
    });
  }
});

test("a global catalogue is no address of a directory: it has some of the attributes only", () => {
  const policy = (port: number): string => `v: 1
connections:
  corp:
    kind: activeDirectory
    address: dc1.corp.example:${port}
    tls: { mode: required }
    logins: [svc]
    rules: []
`;
  for (const port of [3268, 3269]) assert.match(problemsOf(policy(port)).join(), /line 5.*global catalogue/);
  for (const port of [636, 389, 13_269]) assert.deepEqual(problemsOf(policy(port)), []);
});

const RAW = `v: 1
connections:
  lab:
    kind: mssql
    address: sql:1433
    database: L
    tls: { mode: required }
    logins: [a]
    rules:
      - { id: any, allow: [raw], until: 2026-12-20 }
`;

test("raw SQL: an end within 30 days, and no finer rule beside it", () => {
  assert.deepEqual(problemsOf(RAW), []);
  assert.deepEqual(problemsOf(`${RAW}      - { id: t, allow: [table], tables: [dbo.T] }\n`), []);
  assert.match(
    problemsOf(RAW.replace("2026-12-20", "2026-12-21")).join(),
    /line 10, .*until: a raw rule ends within 30/,
  );
  assert.match(
    problemsOf(`${RAW}      - { id: d, deny: all, tables: [dbo.T] }\n`).join(),
    /line 11, .*gets around a deny/,
  );
  assert.match(
    problemsOf(`${RAW}      - { id: c, allow: [table], tables: [dbo.T], columns: [A] }\n`).join(),
    /line 11, .*gets around column lists/,
  );
});

test("the digest is of the file's bytes", () => {
  assert.equal(digestPolicy("v: 1\n"), createHash("sha256").update("v: 1\n").digest("base64url"));
  assert.notEqual(digestPolicy("v: 1\n"), digestPolicy("v: 1"));
  assert.equal(digestPolicy(Buffer.from("æ")), digestPolicy("æ"));
});
