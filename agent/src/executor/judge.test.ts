import assert from "node:assert/strict";
import { test } from "node:test";
import type { SessionRequestPayload } from "@sallyport/shared/protocol/request.ts";
import { DEFAULT_LIMITS } from "@sallyport/shared/schema/operations.ts";
import { parsePolicy } from "../policy/file.ts";
import { judge } from "./judge.ts";

const NOW = new Date("2026-11-22T12:00:00Z");
const KEY = Buffer.alloc(32, 1);
const policy = parsePolicy(
  `
v: 1
connections:
  erp:
    kind: mssql
    address: sql01.corp.example:1433
    database: ERP
    tls: { mode: required }
    logins: [svc]
    limits: { seconds: 600 }
    rules:
      - { id: orders, allow: [table], tables: [dbo.Orders], columns: "*" }
      - { id: status, allow: [replace], tables: [dbo.Status], columns: [Id], key: [Id] }
      - { id: never, deny: all, tables: ["hr.*"] }
`,
  NOW,
);

const request = (change: Partial<SessionRequestPayload> = {}): SessionRequestPayload => ({
  v: 1,
  id: "0".repeat(32),
  hello: "h".repeat(43),
  agent: "a".repeat(32),
  site: "oslo",
  tenant: "contoso",
  connection: "erp",
  caller: "pull:orders",
  pull: "orders",
  iat: 0,
  operation: { op: "sql.table", table: "dbo.Orders", columns: "*", watermark: "none" },
  credential: { form: "plain", user: "svc", password: "a-secret", signIn: "sql" },
  limits: DEFAULT_LIMITS,
  window: 4 << 20,
  ...change,
});
const ask = (change: Partial<SessionRequestPayload> = {}, ping = false) =>
  judge(request(change), policy, ping, KEY, NOW);

test("what a rule allows is read under the owner's limits, and reported without the login", () => {
  const { report, work } = ask();
  assert.equal(work.do, "serve");
  assert.equal(report.decision, "allow");
  assert.equal(report.rule, "orders");
  assert.equal(report.object, "dbo.Orders");
  assert.equal(report.seconds, 600);
  assert.equal(report.login?.length, 43);
  assert.doesNotMatch(JSON.stringify(report), /svc|a-secret/);
});

test("a write is reported with what it does, allowed or not", () => {
  const write = (action: "replace" | "delete") =>
    ask({ operation: { op: "sql.write", table: "dbo.Status", action, columns: ["Id"] } }).report;
  assert.deepEqual([write("replace").decision, write("replace").action], ["allow", "replace"]);
  assert.deepEqual([write("delete").decision, write("delete").action], ["deny", "delete"]);
});

test("a deny is reported with its rule", () => {
  const { report, work } = ask({ operation: { op: "sql.table", table: "hr.Pay", columns: "*", watermark: "none" } });
  assert.equal(work.do, "refuse");
  assert.deepEqual([report.decision, report.code, report.rule], ["deny", "policy.denied", "never"]);
});

for (const [what, change, code] of [
  ["no connection", { connection: null }, "request.invalid"],
  ["an unknown connection", { connection: "crm" }, "connection.unknown"],
  ["no credential", { credential: null }, "request.invalid"],
  [
    "a login that is not listed",
    { credential: { form: "plain", user: "sa", password: "x", signIn: "sql" } },
    "policy.denied",
  ],
] as const) {
  test(`${what} is ${code}`, () => assert.equal(ask(change as Partial<SessionRequestPayload>).report.code, code));
}

test("a ping session serves agent.ping and nothing else", () => {
  assert.equal(ask({ operation: { op: "agent.ping" }, connection: null, credential: null }, true).work.do, "ping");
  assert.equal(ask({}, true).report.code, "request.refused");
});

test("ids that cannot stand in the journal make the request invalid", () => {
  assert.throws(() => ask({ run: "Robert'); DROP TABLE" }), { code: "request.invalid" });
});

test("the same login at two connections is two logins to the breaker", () => {
  assert.notEqual(ask().report.login, ask({ connection: "crm" }).report.login);
});

test("what is kept of the day for a change is one result, not a session's gigabytes", () => {
  const operation = { op: "sql.write", table: "dbo.Status", action: "replace", columns: ["Id"] } as const;
  const { report, work } = judge(request({ operation: { ...operation, columns: ["Id"] } }), policy, false, KEY, NOW);
  assert.deepEqual([report.bytes, report.rows], [4 * 2 ** 20, DEFAULT_LIMITS.rows]);
  assert.equal(work.do === "serve" && work.allowed.limits.bytes, DEFAULT_LIMITS.bytes);
});

test("a denial says which columns were asked for, an allowed request does not, and what would not fit a line is left out", () => {
  const columns = (list: "*" | string[], table = "hr.Pay") =>
    ask({ operation: { op: "sql.table", table, columns: list, watermark: "none" } }).report.asked;
  assert.deepEqual(columns(["Id", "Pay"]), ["Id", "Pay"]);
  assert.deepEqual(columns("*"), ["*"]);
  assert.equal(columns("*", "dbo.Orders"), undefined);
  assert.equal(columns(Array.from({ length: 100 }, (_, at) => `a long name of a column ${at}`)), undefined);
});

const corp = (rule: string) =>
  parsePolicy(
    `v: 1
connections:
  corp:
    kind: activeDirectory
    address: dc1:636
    tls: { mode: required }
    logins: [svc]
    rules:
      - { bases: ["OU=Staff,DC=x"], classes: [user], attributes: [mail], ${rule} }
`,
    NOW,
  );

test("of a directory's writes passwords and deletions are reported to be counted", () => {
  const people = corp(
    `id: people, allow: [add, modify, delete, setPassword], destinations: ["OU=Staff,DC=x"], until: 2099-12-31`,
  );
  const counted = (wish: object) => {
    const operation = { op: "ad.write", object: "CN=Kari,OU=Staff,DC=x", class: "user", dryRun: false, ...wish };
    const credential = { form: "plain", user: "svc", password: "x", signIn: "simple" } as const;
    const asked = request({
      connection: "corp",
      operation: operation as SessionRequestPayload["operation"],
      credential,
    });
    const { report } = judge(asked, people, false, KEY, NOW);
    assert.deepEqual([report.decision, report.bytes], ["allow", 4 * 2 ** 20]);
    return report.rows;
  };
  const add = { action: "add", attributes: { mail: ["kari@x"] } };
  assert.deepEqual([counted({ ...add, password: "A long word 1" }), counted(add)], [1, undefined]);
  assert.deepEqual(
    [counted({ action: "setPassword", password: "A long word 1" }), counted({ action: "delete" })],
    [1, 1],
  );
  const changes = [{ attribute: "mail", do: "set", values: ["kari@x"] }];
  assert.equal(counted({ action: "modify", changes }), undefined);
});

test("a directory's place stands in the report without its people", () => {
  const staff = corp("id: staff, allow: [search]");
  const place = { base: "CN=Kari Nordmann,OU=Staff,DC=x", scope: "base" } as const;
  const asked = (attributes: string[]) =>
    judge(
      request({
        connection: "corp",
        operation: { op: "ad.search", ...place, classes: ["user"], attributes },
        credential: { form: "plain", user: "svc", password: "x", signIn: "simple" },
      }),
      staff,
      false,
      KEY,
      NOW,
    ).report;
  const allowed = asked(["mail"]);
  assert.deepEqual([allowed.decision, allowed.rule, allowed.object], ["allow", "staff", "CN=*,OU=Staff,DC=x"]);
  assert.deepEqual([asked(["unicodePwd"]).code, asked(["unicodePwd"]).asked], ["policy.denied", ["unicodePwd"]]);
});
