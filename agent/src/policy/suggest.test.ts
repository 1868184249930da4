/** What a journal's denials are worth as rules: what is printed parses, allows what was asked for, and never what must be thought about. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DEFAULT_LIMITS } from "@sallyport/shared/schema/operations.ts";
import { decide } from "./decide.ts";
import { parsePolicy } from "./file.ts";
import { type Denial, suggest } from "./suggest.ts";

const NOW = new Date("2026-11-20T12:00:00Z");
const TEXT = `v: 1
connections:
  erp:
    kind: mssql
    address: sql:1433
    database: E
    tls: { mode: required }
    logins: [svc]
    hours: { allow: ["01:00-02:00"], timezone: UTC }
    rules:
      - { id: orders, allow: [table], tables: [dbo.Orders] }
      - { id: suggested-1, allow: [table], tables: [dbo.Old] }
      - { id: never-hr, deny: all, tables: ["hr.*"] }
`;
const POLICY = parsePolicy(TEXT, NOW);
const denial = (over: Partial<Denial>): Denial => ({
  ...{ at: "2026-11-20T09:14:02.000Z", request: "0".repeat(32), caller: "key:sp_erp", connection: "erp" },
  ...{ op: "sql.table", object: "dbo.Products", asked: ["ProductId", "Name"] },
  ...over,
});
const left = (denials: readonly Denial[]): readonly string[] =>
  suggest(POLICY, denials, NOW)
    .left.filter(({ times }) => times > 0)
    .map(({ what, times }) => `${times} ${what}`);

test("one rule for all that was asked of a table, with a free id, which then allows each of the requests", () => {
  const denials = [denial({}), denial({ object: "DBO.products", asked: ["name", "Updated At", "x: y"] })];
  const { suggested } = suggest(POLICY, denials, NOW);
  assert.equal(suggested.length, 1);
  const [one] = suggested;
  assert.deepEqual([one?.connection, one?.times], ["erp", 2]);
  assert.deepEqual(one?.lines, [
    "- id: suggested-2",
    "  allow: [table]",
    "  tables: [dbo.Products]",
    '  columns: [ProductId, Name, "Updated At", "x: y"]',
  ]);
  const more = parsePolicy(`${TEXT}${one?.lines.map((line) => `      ${line}`).join("\n")}\n`, NOW);
  for (const { asked } of denials) {
    const decision = decide(
      more,
      {
        ...{ connection: "erp", limits: DEFAULT_LIMITS, user: "svc", signIn: "sql", caller: "key:sp_erp" },
        operation: { op: "sql.table", table: "dbo.Products", columns: [...(asked ?? [])], watermark: "none" },
      },
      new Date("2026-11-20T01:30:00Z"),
    );
    assert.ok("allow" in decision);
  }
});

test("everything of a table, changes, and a directory's place", () => {
  const lines = (over: Partial<Denial>) => suggest(POLICY, [denial(over)], NOW).suggested[0]?.lines.slice(1);
  assert.deepEqual(lines({ asked: ["*"] })?.at(-1), '  columns: "*"');
  assert.deepEqual(lines({ asked: undefined })?.at(-1), '  columns: "*"');
  assert.deepEqual(lines({ op: "sql.changes" })?.[0], "  allow: [changes]");
  assert.deepEqual(lines({ op: "sql.schema", asked: undefined }), ["  allow: [schema]", "  tables: [dbo.Products]"]);
  assert.equal(lines({ op: "ad.search", object: "OU=Staff,DC=x", asked: ["mail"] })?.[1], '  bases: ["OU=Staff,DC=x"]');
});

const NEVER: readonly (readonly [what: RegExp, over: Partial<Denial>])[] = [
  [/raw SQL or a statement/, { op: "sql.query", object: undefined }],
  [/raw SQL or a statement/, { op: "sql.query", object: "dropAll" }],
  [/password set/, { op: "ad.write", action: "setPassword", object: "CN=*,DC=x" }],
  [/write/, { op: "sql.write", action: "insert" }],
  [/write/, { op: "ad.write", action: "delete", object: "CN=*,DC=x" }],
  [/procedure call/, { op: "sql.call", object: "dbo.P" }],
  [/never-hr denies/, { object: "hr.People", rule: "never-hr" }],
  [/system table/, { object: "sys.sql_logins" }],
  [/allows by now/, { object: "dbo.Orders" }],
  [/does not have/, { connection: "gone" }],
  [/list of everything/, { op: "sql.schema", object: undefined }],
  [/one person/, { op: "ad.search", object: "CN=*,OU=Staff,DC=x" }],
];
for (const [what, over] of NEVER) {
  test(`never suggested: ${JSON.stringify(over)}`, () => {
    assert.deepEqual(suggest(POLICY, [denial(over)], NOW).suggested, []);
    assert.match(left([denial(over)]).join(), what);
  });
}
