/** Writing into the emulated SQL Server through the relay: rows in, counts back, cancel, limits, hostile input. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as turn } from "node:timers/promises";
import { FRAME, jsonBody } from "@sallyport/shared/protocol/frames.ts";
import type { SqlWrite } from "@sallyport/shared/schema/write-operations.ts";
import { startTds, type Tds } from "../../emulators/tds/start.ts";
import { makeAuthority } from "../../emulators/tls/certificates.ts";
import { dial } from "./sender.ts";
import { type RunningAgent, type Site, startSite } from "./site.ts";
import { type Answered, column, INT, newId, order, rowsOf, TEXT } from "./writer.ts";

const PASSWORD = "Writer-1-of-this-test";
const credential = { form: "plain", user: "svc", password: PASSWORD, signIn: "sql" } as const;
const COLUMNS = [column("OrderId", INT), column("Status", TEXT)];
/** A procedure that has changed something, and waits. */
const slow = { changed: Promise.withResolvers<void>(), release: Promise.withResolvers<void>() };
let site: Site;
let agent: RunningAgent;
let tds: Tds;

before(async () => {
  const authority = await makeAuthority();
  tds = await startTds({
    tls: await authority.issue({ names: ["localhost"], addresses: ["127.0.0.1"] }),
    logins: [
      {
        name: "svc",
        password: PASSWORD,
        rights: {
          select: ["dbo.OrderStatus", "dbo.Requests"],
          insert: ["dbo.OrderStatus", "dbo.Requests"],
          update: ["dbo.OrderStatus", "dbo.Requests"],
          delete: ["dbo.OrderStatus"],
          execute: ["dbo.CloseOrder", "dbo.Slow"],
        },
      },
    ],
    databases: ["ERP"],
  });
  await tds.sql(`
    CREATE TABLE dbo.OrderStatus (OrderId int NOT NULL PRIMARY KEY, Status nvarchar(20) NULL);
    CREATE TABLE dbo.Requests (RequestKey nvarchar(128) NOT NULL PRIMARY KEY, Request char(64) NOT NULL,
      At datetime2(3) NOT NULL DEFAULT SYSUTCDATETIME(), Answer nvarchar(max) NULL)`);
  tds.procedure({
    name: "dbo.CloseOrder",
    parameters: "@orderId int, @reason nvarchar(100), @closed int OUTPUT",
    run: async ({ sql }) => {
      await sql("UPDATE dbo.OrderStatus SET Status = @reason WHERE OrderId = @orderId; SET @closed = @@ROWCOUNT");
      await sql("SELECT OrderId, Status FROM dbo.OrderStatus WHERE OrderId = @orderId");
      return 7;
    },
  });
  tds.procedure({
    name: "dbo.Slow",
    parameters: "",
    run: async ({ sql }) => {
      await sql("UPDATE dbo.OrderStatus SET Status = 'slow'");
      slow.changed.resolve();
      await slow.release.promise;
      return 0;
    },
  });
  site = await startSite();
  const enrolled = await site.enroll(site.orchestrator.code());
  assert.equal(enrolled.code, 0, enrolled.stderr);
  writeFileSync(join(site.state, "sql-ca.pem"), authority.caPem);
  site.setPolicy(`v: 1
limits: { sessionsPerMinute: 600 }
connections:
  erp:
    kind: mssql
    address: localhost:${tds.port}
    database: ERP
    tls: { mode: required, ca: sql-ca.pem }
    logins: [svc]
    limits: { sessions: 4 }
    rules:
      - id: status
        allow: [insert, update, upsert]
        tables: [dbo.OrderStatus]
        columns: [OrderId, Status]
        key: [OrderId]
        requestTable: dbo.Requests
        limits: { rowsPerRequest: 30000 }
      - id: gone
        allow: [delete]
        tables: [dbo.OrderStatus]
        columns: [OrderId]
        key: [OrderId]
        limits: { rowsPerRequest: 100, rowsPerDay: 150 }
      - id: close
        allow: [call]
        procedure: dbo.CloseOrder
        parameters: { orderId: int, reason: nvarchar(100), closed: { type: int, output: true } }
        returns: [[OrderId, Status]]
        effect: write
      - { id: slow, allow: [call], procedure: dbo.Slow, effect: write }
`);
  agent = await site.start();
});
after(async () => {
  await site.close();
  await tds.close();
});

const writing = (action: SqlWrite["action"], columns = ["OrderId", "Status"], idempotencyKey?: string): SqlWrite => ({
  op: "sql.write",
  table: "dbo.OrderStatus",
  action,
  columns,
  ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
});

const statuses = (from: number, rows: number, status = "open", onBatch?: (batch: number) => Promise<void> | void) =>
  rowsOf(
    COLUMNS,
    rows,
    (batch, row) => {
      batch.columns[0]!.appendInt(from + row);
      batch.columns[1]!.appendString(status);
    },
    onBatch,
  );

const ids = (from: number, rows: number) =>
  rowsOf([COLUMNS[0]!], rows, (batch, row) => batch.columns[0]!.appendInt(from + row));

const write = (operation: SqlWrite, input: ReturnType<typeof rowsOf>, signal?: AbortSignal): Promise<Answered> =>
  order(site, { connection: "erp", operation, credential, input, ...(signal === undefined ? {} : { signal }) });

const count = async (where = "1 = 1"): Promise<number> =>
  Number((await tds.sql(`SELECT COUNT(*) AS n FROM dbo.OrderStatus WHERE ${where}`)).rows[0]?.n);
const codeOf = (answered: Answered): string => (answered.ok ? "ok" : answered.code);

test("rows are inserted and upserted, counted by action, and journaled before and after", async () => {
  const inserted = await write(writing("insert"), statuses(0, 20_000));
  assert.ok(inserted.ok, JSON.stringify(inserted));
  assert.deepEqual(
    [inserted.result?.inserted, inserted.result?.updated, inserted.result?.rows, inserted.result?.repeated],
    [20_000, 0, 20_000, false],
  );
  const upserted = await write(writing("upsert"), statuses(19_990, 20, "late"));
  assert.deepEqual([upserted.result?.inserted, upserted.result?.updated], [10, 10]);
  assert.equal(await count("Status = 'late'"), 20);
  const end = await site.journaled(({ event, request }) => event === "end" && request === upserted.id);
  const request = site.journal().find((line) => line.event === "request" && line.request === upserted.id);
  assert.deepEqual(
    [request?.op, request?.action, request?.object, request?.rule, end.rowsIn],
    ["sql.write", "upsert", "dbo.OrderStatus", "status", 20],
  );
});

test("a key answers the same again, and changes nothing twice", async () => {
  const first = await write(writing("upsert", undefined, "once-1"), statuses(50_000, 5));
  await tds.sql("UPDATE dbo.OrderStatus SET Status = 'meanwhile' WHERE OrderId = 50000");
  const second = await write(writing("upsert", undefined, "once-1"), statuses(50_000, 5));
  assert.deepEqual([first.result?.inserted, first.result?.repeated], [5, false]);
  assert.deepEqual([second.result?.inserted, second.result?.repeated], [5, true]);
  assert.equal(await count("Status = 'meanwhile'"), 1);
  const other = await write(writing("insert", undefined, "once-1"), statuses(60_000, 1));
  assert.equal(codeOf(other), "request.invalid");
});

test("more rows than the rule allows, in a request or in a day, change nothing", async () => {
  const before = await count();
  assert.equal(codeOf(await write(writing("insert"), statuses(100_000, 30_001))), "limit.rows");
  assert.equal(codeOf(await write(writing("delete", ["OrderId"]), ids(0, 101))), "limit.rows");
  assert.equal(await count(), before);
  const last = await write(writing("delete", ["OrderId"]), ids(0, 49));
  assert.deepEqual([last.ok, last.result?.deleted], [true, 49]);
  // What came of the one that was refused counts too: 100 or so of the 150 are gone with it.
  assert.equal(codeOf(await write(writing("delete", ["OrderId"]), ids(100, 60))), "limit.rows");
});

test("a cancel before the end of the rows leaves nothing", async () => {
  const before = await count();
  const controller = new AbortController();
  const early = await write(
    writing("insert"),
    statuses(200_000, 20_000, "x", (batch) => {
      if (batch === 3) controller.abort();
    }),
    controller.signal,
  );
  assert.equal(codeOf(early), "request.cancelled");
  assert.equal(await count(), before);
});

test("a cancel in the middle of a transaction is told as such once the rollback is confirmed", async () => {
  const before = await count("Status = 'slow'");
  const controller = new AbortController();
  const calling = order(site, {
    connection: "erp",
    credential,
    operation: { op: "sql.call", procedure: "dbo.Slow", parameters: {}, effect: "write" },
    signal: controller.signal,
  });
  await slow.changed.promise;
  const from = tds.log.length;
  controller.abort();
  while (!tds.log.slice(from).some(({ kind }) => kind === "attention")) await turn(20);
  slow.release.resolve();
  assert.equal(codeOf(await calling), "request.cancelled");
  assert.equal(await count("Status = 'slow'"), before);
});

test("what the policy does not say is denied before anything is contacted", async () => {
  const logins = tds.log.filter(({ kind }) => kind === "login").length;
  const denied = [
    writing("replace"),
    { ...writing("insert"), table: "dbo.Requests" },
    writing("insert", ["OrderId", "Secret"]),
  ];
  for (const operation of denied) assert.equal(codeOf(await write(operation, statuses(0, 1))), "policy.denied");
  assert.equal(tds.log.filter(({ kind }) => kind === "login").length, logins);
});

test("a procedure's outputs, return value and rows come back; what it changed is there", async () => {
  const called = await order(site, {
    connection: "erp",
    credential,
    operation: {
      op: "sql.call",
      procedure: "dbo.CloseOrder",
      parameters: { orderId: 500, reason: "paid" },
      effect: "write",
    },
  });
  assert.ok(called.ok, JSON.stringify(called));
  assert.deepEqual(
    [called.result?.return, called.result?.outputs, called.result?.results],
    [
      7,
      { closed: 1 },
      [
        {
          columns: [
            { name: "OrderId", source: "int" },
            { name: "Status", source: "nvarchar(20)" },
          ],
          rows: [[500, "paid"]],
        },
      ],
    ],
  );
  assert.equal(await count("Status = 'paid'"), 1);
  const line = site.journal().find((each) => each.event === "request" && each.request === called.id);
  assert.deepEqual(
    [line?.op, line?.object, line?.rule, line?.effect],
    ["sql.call", "dbo.CloseOrder", "close", "write"],
  );
});

for (const [what, frames] of [
  ["a batch before the schema", [[FRAME.inputBatch, Buffer.alloc(100)]]],
  ["an end without rows", [[FRAME.inputEnd, jsonBody({ rows: 0, batches: 0 })]]],
  ["a schema that is none", [[FRAME.inputSchema, Buffer.from("nothing of Arrow's")]]],
] as const) {
  test(`${what} closes the session with 1002, and the agent goes on`, async () => {
    const before = await count();
    const dialled = await dial(site);
    assert.ok(dialled.ok);
    const { sender } = dialled;
    const id = newId();
    await sender.request({ id, connection: "erp", operation: writing("insert"), credential });
    // Its first credit: it is ready to take rows.
    const messages = sender.messages((message) => {
      if (message.kind === "credit") for (const [type, body] of frames) sender.send(type, body);
    });
    messages.catch(() => {});
    assert.equal(await sender.closed, 1002);
    const end = await site.journaled(({ event, request }) => event === "end" && request === id);
    assert.match(String(end.code), /^protocol\.(order|batch)$/);
    assert.equal(await count(), before);
    assert.equal(agent.process.exitCode, null);
  });
}
