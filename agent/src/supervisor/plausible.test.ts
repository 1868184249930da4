import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePolicy } from "../policy/file.ts";
import { isPlausible, writingOf } from "./plausible.ts";

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
  corp:
    kind: activeDirectory
    address: dc1.corp.example:636
    tls: { mode: required }
    logins: [svc@corp.example]
    rules:
      - { id: staff, allow: [search, schema], bases: ["OU=Staff,DC=x"], classes: [user], attributes: [mail] }
      - { id: boss, allow: [search], bases: ["CN=Boss,DC=x"], classes: [user], attributes: [mail], callers: [key:a] }
      - { id: off, allow: [delete], bases: ["OU=Left,DC=x"], classes: [user], until: 2099-12-31 }
      - id: join
        allow: [add, modify, setPassword]
        bases: ["OU=New,DC=x"]
        destinations: ["OU=New,DC=x"]
        classes: [user]
        attributes: [mail]
        limits: { passwordSetsPerDay: 3 }
        until: 2099-12-31
      - id: put
        allow: [add]
        bases: ["OU=New,DC=x"]
        destinations: ["OU=New,DC=x"]
        classes: [user]
        attributes: [mail]
        until: 2099-12-31
      - { id: never, deny: all, bases: ["OU=Board,OU=Staff,DC=x"] }
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

test("of a directory is believed what lies in the rule's places, by what a masked name tells", () => {
  const search = { op: "ad.search", connection: "corp", object: "CN=*,OU=Staff,DC=x", rule: "staff" };
  assert.ok(report(search));
  assert.ok(report({ ...search, op: "ad.schema", object: undefined }));
  for (const different of [
    ...[{ object: undefined }, { object: "OU=Other,DC=x" }, { object: "OU=Board,OU=Staff,DC=x" }, { op: "ad.changes" }],
    ...[
      { op: "ad.write", action: "delete" },
      { op: "sql.table" },
      { rule: "never" },
      { rule: "off" },
      { bytes: 2 ** 60 },
    ],
    { connection: "erp" },
  ]) {
    assert.ok(!report({ ...search, ...different }), JSON.stringify(different));
  }
  assert.ok(report({ ...search, rule: "boss", object: "CN=*,DC=x", caller: "key:a" }));
  assert.ok(!report({ ...search, rule: "boss", object: "CN=*,DC=x" }));
  const off = { op: "ad.write", connection: "corp", object: "CN=*,OU=Left,DC=x", rule: "off" };
  assert.ok(report({ ...off, action: "delete", rows: 1 }));
  assert.ok(!report({ ...off, action: "move" }));
  assert.ok(!report({ ...off, action: "delete", rows: 1, object: "CN=*,OU=Staff,DC=x" }));
});

test("of a directory's writes is believed no password and no deletion that is not counted, and no count of anything else", () => {
  const join = { op: "ad.write", connection: "corp", object: "CN=*,OU=New,DC=x", rule: "join" };
  const off = { ...join, object: "CN=*,OU=Left,DC=x", rule: "off", action: "delete" };
  for (const rows of [undefined, 2]) assert.ok(!report({ ...off, rows }));
  for (const rows of [undefined, 1]) assert.ok(report({ ...join, action: "add", rows }));
  assert.ok(report({ ...join, action: "setPassword", rows: 1 }));
  for (const [action, rows] of [
    ["setPassword", undefined],
    ["add", 2],
    ["modify", 1],
  ] as const)
    assert.ok(!report({ ...join, action, rows }), action);
  assert.ok(!report({ ...join, rule: "put", action: "add", rows: 1 }));
  assert.ok(!report({ op: "ad.search", connection: "corp", object: "OU=Staff,DC=x", rule: "staff", rows: 1 }));
  const counted = (more: object) =>
    writingOf(POLICY, "corp", { ...join, rows: 1, ...more } as Parameters<typeof writingOf>[2]);
  assert.deepEqual(counted({ action: "add" }), { rule: "join", limit: "passwordSetsPerDay", rows: 1, perDay: 3 });
  assert.deepEqual(counted({ ...off }), { rule: "off", limit: "deletesPerRun", rows: 1, perDay: 10 });
  assert.equal(counted({ action: "modify", rows: undefined }), undefined);
});
