/** Reading a table from the emulated SQL Server through the relay: rows, checkpoints, finish, cancel, a wrong password. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { zstdDecompressSync } from "node:zlib";
import { FRAME, jsonBody } from "@sallyport/shared/protocol/frames.ts";
import type { SessionRequestPayload } from "@sallyport/shared/protocol/request.ts";
import { decodeSchema, END_OF_STREAM, PLAN_KEY } from "@sallyport/shared/rows/arrow.ts";
import type { Operation, Plan } from "@sallyport/shared/schema/operations.ts";
import { CompressionType, compressionRegistry, tableFromIPC } from "apache-arrow";
import { startTds, type Tds } from "../../emulators/tds/start.ts";
import { makeAuthority } from "../../emulators/tls/certificates.ts";
import { type DialOptions, dial, type Sender } from "./sender.ts";
import { type RunningAgent, type Site, startSite } from "./site.ts";

const ROWS = 12_000;
/** Not compressible below half, so that little credit is also few rows. */
const noteOf = (row: number): string => `${row} ${randomBytes(500).toString("hex")}`;
const PASSWORD = "Reader-1-of-this-test";
let site: Site;
let agent: RunningAgent;
let tds: Tds;

before(async () => {
  const authority = await makeAuthority();
  tds = await startTds({
    tls: await authority.issue({ names: ["localhost"], addresses: ["127.0.0.1"] }),
    logins: [{ name: "svc", password: PASSWORD, rights: "read" }],
    databases: ["ERP"],
  });
  await tds.sql(
    "CREATE TABLE dbo.Orders (Id int NOT NULL PRIMARY KEY, Note nvarchar(1100) NULL, Version rowversion NOT NULL)",
  );
  for (let start = 0; start < ROWS; start += 1000) {
    const values = Array.from({ length: 1000 }, (_, index) => `(${start + index}, N'${noteOf(start + index)}')`);
    await tds.sql(`INSERT INTO dbo.Orders (Id, Note) VALUES ${values.join(", ")}`);
  }
  site = await startSite();
  const enrolled = await site.enroll(site.orchestrator.code());
  assert.equal(enrolled.code, 0, enrolled.stderr);
  writeFileSync(join(site.state, "sql-ca.pem"), authority.caPem);
  const connection = (name: string, limits: string): string => `
  ${name}:
    kind: mssql
    address: localhost:${tds.port}
    database: ERP
    tls: { mode: required, ca: sql-ca.pem }
    logins: [svc]
    limits: { ${limits} }
    rules:
      - { id: ${name}-orders, allow: [table], tables: [dbo.Orders], columns: "*" }
`;
  const [erp, little] = [
    connection("erp", "sessions: 4, failedLogins: 2/1h"),
    connection("little", "bytesPerDay: 2MiB"),
  ];
  site.setPolicy(`v: 1\nlimits: { sessionsPerMinute: 600 }\nconnections:${erp}${little}`);
  agent = await site.start();
});
after(async () => {
  await site.close();
  await tds.close();
});

async function open(options: DialOptions = {}): Promise<Sender> {
  const dialled = await dial(site, options);
  assert.ok(dialled.ok, dialled.ok ? "" : dialled.reason);
  return dialled.sender;
}

const read = (password = PASSWORD): Partial<SessionRequestPayload> & { id: string } => ({
  id: randomBytes(16).toString("hex"),
  connection: "erp",
  caller: "pull:orders",
  pull: "orders",
  operation: { op: "sql.table", table: "dbo.Orders", columns: "*", watermark: "none" },
  credential: { form: "plain", user: "svc", password, signIn: "sql" },
});

compressionRegistry.set(CompressionType.ZSTD, { decode: (data) => zstdDecompressSync(data) });

test("every row arrives once, in a stream that any Arrow reader opens; the journal counts them", async () => {
  const sender = await open();
  const request = read();
  await sender.request(request);
  const messages = await sender.messages();
  const end = messages.at(-1);
  assert.equal(end?.kind, "end", JSON.stringify(end));
  assert.equal(end.body.rows, ROWS);
  assert.equal(end.body.complete, true);
  const parts = messages.flatMap((each) => (each.kind === "schema" || each.kind === "batch" ? [each.bytes] : []));
  const table = tableFromIPC(Buffer.concat([...parts, END_OF_STREAM]));
  const ids = new Set(table.getChild("Id") ?? []);
  assert.equal(table.numRows, ROWS);
  assert.equal(ids.size, ROWS);
  const line = await site.journaled(({ event, request: id }) => event === "end" && id === request.id);
  assert.equal(line.rowsOut, ROWS);
  assert.equal(line.bytesOut, end.body.bytes);
  assert.equal(line.pull, "orders");
});

test("finish stops at a checkpoint: nothing after it, and the rest is read from there", async () => {
  const first = await open();
  // With 1 MiB of credit the agent has heard of the finish long before its first checkpoint, at 8 MiB.
  await first.request({ ...read(), window: 2 ** 20 });
  const messages = await first.messages((message) => {
    if (message.kind === "schema") first.send(FRAME.finish, Buffer.alloc(0));
  });
  const [checkpoint, end] = messages.slice(-2);
  assert.equal(end?.kind, "end", JSON.stringify(end));
  assert.equal(checkpoint?.kind, "checkpoint");
  assert.equal(end.body.complete, false);
  assert.equal(end.body.position, checkpoint.body.position);
  assert.ok(end.body.rows > 0 && end.body.rows < ROWS);

  const schema = messages[0];
  assert.ok(schema?.kind === "schema");
  const plan = JSON.parse(decodeSchema(schema.bytes).metadata[PLAN_KEY]!) as Plan;
  const second = await open();
  const request = read();
  const operation = { ...request.operation, plan, position: checkpoint.body.position } as Operation;
  await second.request({ ...request, operation });
  const rest = (await second.messages()).at(-1);
  assert.equal(rest?.kind, "end", JSON.stringify(rest));
  assert.equal(rest.body.complete, true);
  assert.equal(end.body.rows + rest.body.rows, ROWS);
});

test("cancel stops the read at its source and says so", async () => {
  const sender = await open();
  await sender.request(read());
  const messages = await sender.messages((message) => {
    if (message.kind === "schema") sender.send(FRAME.cancel, jsonBody({ reason: "test" }));
  });
  const error = messages.at(-1);
  assert.equal(error?.kind === "error" && error.body.code, "request.cancelled");
});

test("one session cannot send more than the owner leaves for the day", async () => {
  const sender = await open();
  await sender.request({ ...read(), connection: "little" });
  const messages = await sender.messages();
  const error = messages.at(-1);
  assert.equal(error?.kind === "error" && error.body.code, "limit.bytes");
  const sent = messages.reduce((sum, each) => sum + (each.kind === "batch" ? each.bytes.byteLength : 0), 0);
  assert.ok(sent <= 2 * 2 ** 20, `${sent} bytes`);
});

test("SIGTERM during a read ends it at a checkpoint, with nothing lost", async () => {
  const sender = await open();
  await sender.request(read());
  let stopped: Promise<number | null> | undefined;
  const messages = await sender.messages((message) => {
    if (message.kind === "schema") stopped = agent.stop();
  });
  const end = messages.at(-1);
  assert.equal(end?.kind, "end");
  assert.equal(await stopped, 0);
  agent = await site.start();
});

test("a wrong password: connection.login_failed, then the breaker opens, also after a restart", async () => {
  const codes: unknown[] = [];
  const attempt = async (): Promise<void> => {
    const sender = await open();
    const request = read("wrong-password-of-this-test");
    await sender.request(request);
    const [error] = await sender.messages();
    codes.push(error?.kind === "error" ? error.body.code : error?.kind);
    await site.journaled(({ event, request: id }) => event === "end" && id === request.id);
  };
  await attempt();
  await attempt();
  assert.equal(await agent.stop(), 0);
  const loginsBefore = tds.log.filter(({ kind }) => kind === "login").length;
  agent = await site.start();
  await attempt();
  assert.deepEqual(codes, ["connection.login_failed", "connection.login_failed", "limit.logins"]);
  assert.equal(tds.log.filter(({ kind }) => kind === "login").length, loginsBefore);
  const all = agent.log() + JSON.stringify(site.journal());
  assert.doesNotMatch(all, /wrong-password|Reader-1/);
});
