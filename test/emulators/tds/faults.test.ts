import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { Request } from "tedious";
import { makeAuthority } from "../tls/certificates.ts";
import { ask, connect, errorNumber, startServer } from "./clients.ts";

let tds: Awaited<ReturnType<typeof startServer>>;
before(async () => {
  tds = await startServer();
  await tds.sql("CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, Name nvarchar(max) NULL)");
  await tds.sql(`INSERT INTO dbo.T VALUES ${Array.from({ length: 50 }, (_, id) => `(${id}, N'n${id}')`).join(",")}`);
});
afterEach(() => tds.faults.clear());
after(() => tds.close());

const TABLE = /FROM dbo\.T/;
const QUERY = "SELECT Id, Name FROM dbo.T ORDER BY Id";

/** Counts the rows that come before the end, and says how it ended. */
async function read(): Promise<{ rows: number; error: { code?: string; number?: number } | null | undefined }> {
  const connection = await connect(tds);
  const { promise, resolve } = Promise.withResolvers<{ code?: string; number?: number } | null | undefined>();
  let rows = 0;
  const request = new Request(QUERY, (error) => resolve(error as never));
  request.on("row", () => rows++);
  connection.execSql(request);
  const error = await promise;
  connection.close();
  return { rows, error };
}

test("an error after N rows, once, for the statements it names", async () => {
  tds.faults.add({ kind: "error", afterRows: 20, number: 1205 }, { statement: TABLE, times: 1 });
  const { rows, error } = await read();
  assert.deepEqual([rows, error?.number], [20, 1205]);
  assert.deepEqual(await read(), { rows: 50, error: undefined });
});

test("a deadlock rolls the transaction back", async () => {
  const connection = await connect(tds);
  await ask(connection, "BEGIN TRAN; UPDATE dbo.T SET Name = N'x' WHERE Id = 1");
  tds.faults.add({ kind: "error", afterRows: 0, number: 1205 }, { statement: /Id = 2/, times: 1 });
  assert.equal(await errorNumber(ask(connection, "UPDATE dbo.T SET Name = N'x' WHERE Id = 2")), 1205);
  assert.deepEqual(await ask(connection, "SELECT @@TRANCOUNT, Name FROM dbo.T WHERE Id = 1"), [[0, "n1"]]);
  connection.close();
});

test("a reset in the middle of the rows", async () => {
  tds.faults.add({ kind: "reset", afterRows: 10 }, { statement: TABLE, times: 1 });
  const { rows, error } = await read();
  assert.ok(rows <= 10);
  assert.ok(error, "the client hears of it");
});

test("a stall in a row lasts until the client cancels", async () => {
  tds.faults.add({ kind: "stallInRow", afterRows: 10 }, { statement: TABLE, times: 1 });
  const connection = await connect(tds);
  const { promise, resolve } = Promise.withResolvers<{ code?: string } | null | undefined>();
  let rows = 0;
  const request = new Request(QUERY, (error) => resolve(error as never));
  request.on("row", () => {
    rows++;
    if (rows === 10) setImmediate(() => connection.close());
  });
  connection.execSql(request);
  assert.ok(await promise);
  assert.equal(rows, 10);
});

test("slow rows all come", async () => {
  tds.faults.add({ kind: "slowRows", everyRows: 10, delayMs: 1 }, { statement: TABLE });
  assert.deepEqual(await read(), { rows: 50, error: undefined });
});

test("a huge value comes whole", async () => {
  tds.faults.add({ kind: "hugeValue", afterRows: 3, characters: 3_000_000 }, { statement: TABLE });
  const connection = await connect(tds);
  const rows = await ask(connection, QUERY);
  assert.deepEqual(rows.map(([, name]) => String(name).length === 3_000_000).indexOf(true), 3);
  assert.equal(rows.length, 50);
  connection.close();
});

test("bytes that do not add up are an error of the client, not a silent end", async () => {
  tds.faults.add({ kind: "wrongLength", afterRows: 5 }, { statement: TABLE, times: 1 });
  const { error } = await read();
  assert.ok(error);
});

test("a login is refused with the error that was asked for", async () => {
  tds.faults.add({ kind: "loginError", number: 18486 }, { times: 1 });
  await assert.rejects(connect(tds), /locked out/);
  (await connect(tds)).close();
});

test("refused connections, a delayed login and another certificate", async () => {
  tds.faults.add({ kind: "refuse" }, { times: 1 });
  await assert.rejects(connect(tds));
  tds.faults.add({ kind: "loginDelay", delayMs: 60_000 }, { times: 1 });
  await assert.rejects(connect(tds, { options: { connectTimeout: 100 } }), { code: "ETIMEOUT" });
  const other = await (await makeAuthority()).issue({ names: ["localhost"] });
  tds.faults.add({ kind: "certificate", ...other }, { times: 1 });
  await assert.rejects(connect(tds));
  (await connect(tds)).close();
});
