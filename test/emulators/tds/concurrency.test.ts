import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Connection, Request, TYPES } from "tedious";
import { ask, connect, errorNumber, startServer } from "./clients.ts";

let tds: Awaited<ReturnType<typeof startServer>>;
let one: Connection;
let two: Connection;
before(async () => {
  tds = await startServer();
  one = await connect(tds);
  two = await connect(tds);
  await ask(one, "CREATE TABLE dbo.T (Id int NOT NULL PRIMARY KEY, N int NULL, V rowversion)");
});
after(async () => {
  one.close();
  two.close();
  await tds.close();
});

const versions = async (connection: Connection): Promise<bigint[]> => {
  const [row] = await ask(connection, "SELECT CONVERT(bigint, MIN_ACTIVE_ROWVERSION()), CONVERT(bigint, @@DBTS)");
  return (row as string[]).map(BigInt);
};

test("every insert and update stamps the next rowversion, and an open transaction holds MIN_ACTIVE_ROWVERSION", async () => {
  const [, before = 0n] = await versions(two);
  await ask(one, "INSERT INTO dbo.T (Id) VALUES (1), (2); UPDATE dbo.T SET N = 1 WHERE Id = 1");
  const rows = await ask(two, "SELECT Id, CONVERT(bigint, V) FROM dbo.T ORDER BY V");
  assert.deepEqual(rows, [
    [2, String(before + 2n)],
    [1, String(before + 3n)],
  ]);
  assert.deepEqual(await versions(two), [before + 4n, before + 3n]);
  await ask(one, "BEGIN TRAN; UPDATE dbo.T SET N = 2");
  assert.deepEqual(await versions(two), [before + 4n, before + 5n]);
  assert.deepEqual(await ask(two, "SELECT COUNT(*) FROM dbo.T WHERE N = 2"), [[0]], "readers see committed rows");
  await ask(one, "COMMIT");
  assert.deepEqual(await versions(two), [before + 6n, before + 5n]);
  const since = Buffer.alloc(8);
  since.writeBigUInt64BE(before + 4n);
  const changed = await ask(two, "SELECT Id FROM dbo.T WHERE V > @since ORDER BY V", [
    ["since", TYPES.VarBinary, since, { length: 8 }],
  ]);
  assert.deepEqual(changed, [[2]]);
});

test("a reserved rowversion commits late, below those that were committed meanwhile", async () => {
  const late = tds.reserveRowversion();
  await ask(one, "INSERT INTO dbo.T (Id) VALUES (10)");
  assert.equal((await versions(two))[0], late.version);
  await late.commit("INSERT INTO dbo.T (Id) VALUES (11)");
  assert.deepEqual(await ask(two, "SELECT Id FROM dbo.T WHERE Id IN (10, 11) ORDER BY V"), [[11], [10]]);
  assert.equal((await versions(two))[0], late.version + 2n);
});

test("a snapshot transaction reads one state and cannot change what others changed since", async () => {
  await ask(two, "SET TRANSACTION ISOLATION LEVEL SNAPSHOT; BEGIN TRAN; SELECT COUNT(*) FROM dbo.T");
  const [[before]] = (await ask(two, "SELECT COUNT(*) FROM dbo.T")) as [[number]];
  await ask(one, "INSERT INTO dbo.T (Id) VALUES (20)");
  assert.deepEqual(await ask(two, "SELECT COUNT(*) FROM dbo.T"), [[before]]);
  assert.equal(await errorNumber(ask(two, "UPDATE dbo.T SET N = 9")), 3960);
  assert.deepEqual(await ask(two, "SELECT @@TRANCOUNT, COUNT(*) FROM dbo.T"), [[0, before + 1]]);
  await ask(two, "SET TRANSACTION ISOLATION LEVEL READ COMMITTED");
});

test("a second writer waits for the first, for as long as LOCK_TIMEOUT says", async () => {
  await ask(one, "BEGIN TRAN; INSERT INTO dbo.T (Id) VALUES (30)");
  assert.equal(await errorNumber(ask(two, "SET LOCK_TIMEOUT 20; INSERT INTO dbo.T (Id) VALUES (31)")), 1222);
  const waiting = ask(two, "SET LOCK_TIMEOUT -1; INSERT INTO dbo.T (Id) VALUES (32)");
  await ask(one, "ROLLBACK");
  await waiting;
  assert.deepEqual(await ask(one, "SELECT Id FROM dbo.T WHERE Id >= 30"), [[32]]);
});

test("a transaction of a client that leaves is rolled back", async () => {
  const three = await connect(tds);
  await ask(three, "BEGIN TRAN; INSERT INTO dbo.T (Id) VALUES (40)");
  three.close();
  assert.equal(await errorNumber(ask(one, "INSERT INTO dbo.T (Id) VALUES (40)")), undefined);
});

test("ATTENTION ends a stream of rows and a wait, and the session goes on", async () => {
  await tds.sql("CREATE TABLE dbo.Many (Id int NOT NULL PRIMARY KEY)");
  const load = Promise.withResolvers<void>();
  const bulk = one.newBulkLoad("dbo.Many", (error) => (error ? load.reject(error) : load.resolve()));
  bulk.addColumn("Id", TYPES.Int, { nullable: false });
  one.execBulkLoad(
    bulk,
    Array.from({ length: 100_000 }, (_, id) => [id]),
  );
  await load.promise;
  for (const text of ["SELECT a.Id FROM dbo.Many a CROSS JOIN dbo.Many b", "WAITFOR DELAY '00:10:00'"]) {
    const { promise, resolve } = Promise.withResolvers<{ code?: string } | null | undefined>();
    const request = new Request(text, (error) => resolve(error as { code?: string } | null | undefined));
    if (text.startsWith("SELECT")) request.once("row", () => one.cancel());
    else setImmediate(() => one.cancel());
    one.execSqlBatch(request);
    assert.equal((await promise)?.code, "ECANCEL");
    assert.deepEqual(await ask(one, "SELECT COUNT(*) FROM dbo.Many"), [[100_000]]);
  }
  assert.ok(tds.log.filter((entry) => entry.kind === "attention").length >= 1);
});

test("bulk load stamps rowversions, refuses duplicates whole, and obeys transactions", async () => {
  await tds.sql(
    "CREATE TABLE dbo.B (Id bigint NOT NULL PRIMARY KEY, Name varchar(10) NULL, At datetime2(7) NULL, D decimal(10,2) NULL, V rowversion)",
  );
  const load = (rows: unknown[][]): Promise<number | undefined> => {
    const { promise, resolve, reject } = Promise.withResolvers<number | undefined>();
    const bulk = one.newBulkLoad("dbo.B", (error, count) => (error ? reject(error) : resolve(count)));
    bulk.addColumn("Id", TYPES.BigInt, { nullable: false });
    bulk.addColumn("Name", TYPES.VarChar, { nullable: true, length: 10 });
    bulk.addColumn("At", TYPES.DateTime2, { nullable: true, scale: 7 });
    bulk.addColumn("D", TYPES.Decimal, { nullable: true, precision: 10, scale: 2 });
    one.execBulkLoad(bulk, rows);
    return promise;
  };
  const at = new Date("2024-01-02T03:04:05.678Z");
  assert.equal(
    await load([
      ["1", "Zürich", at, 1.25],
      ["2", null, null, null],
    ]),
    2,
  );
  assert.deepEqual(
    await ask(one, "SELECT Id, Name, CAST(At AS varchar(30)), CAST(D AS varchar(20)) FROM dbo.B ORDER BY V"),
    [
      ["1", "Zürich", "2024-01-02 03:04:05.6780000", "1.25"],
      ["2", null, null, null],
    ],
  );
  assert.equal(
    await errorNumber(
      load([
        ["3", null, null, null],
        ["1", null, null, null],
      ]),
    ),
    2627,
  );
  assert.deepEqual(await ask(one, "SELECT COUNT(*) FROM dbo.B"), [[2]]);
  await ask(one, "BEGIN TRAN");
  await load([["4", null, null, null]]);
  await ask(one, "ROLLBACK");
  assert.deepEqual(await ask(one, "SELECT COUNT(*) FROM dbo.B"), [[2]]);
});

test("a snapshot is refused where the database allows none", async () => {
  await tds.sql("ALTER DATABASE ERP SET ALLOW_SNAPSHOT_ISOLATION OFF");
  const state = "SELECT snapshot_isolation_state FROM sys.databases WHERE name = DB_NAME()";
  assert.deepEqual(await ask(two, state), [[0]]);
  await ask(two, "SET TRANSACTION ISOLATION LEVEL SNAPSHOT; BEGIN TRAN");
  assert.equal(await errorNumber(ask(two, "SELECT COUNT(*) FROM dbo.T")), 3952);
  assert.deepEqual(await ask(two, "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; SELECT @@TRANCOUNT"), [[0]]);
  await tds.sql("ALTER DATABASE CURRENT SET ALLOW_SNAPSHOT_ISOLATION ON");
  assert.deepEqual(await ask(two, state), [[1]]);
});

test("management views show open transactions to those who may look", async () => {
  const open = `SELECT s.session_id, DATEDIFF(second, d.database_transaction_begin_time, SYSDATETIME()) FROM sys.dm_tran_database_transactions d
    JOIN sys.dm_tran_session_transactions s ON s.transaction_id = d.transaction_id
    WHERE d.database_id = DB_ID() AND d.database_transaction_begin_time IS NOT NULL`;
  assert.deepEqual(await ask(two, open), []);
  const [[spid]] = (await ask(one, "SELECT @@SPID")) as [[number]];
  await ask(one, "BEGIN TRAN; UPDATE dbo.T SET N = 3");
  const [[session, seconds]] = (await ask(two, open)) as [[number, number]];
  assert.equal(session, spid);
  assert.ok(seconds >= 0 && seconds < 60);
  await ask(one, "ROLLBACK");
  assert.deepEqual(await ask(two, open), []);
  await ask(one, "CREATE LOGIN blind WITH PASSWORD = 'Blind-1'; CREATE USER blind FOR LOGIN blind");
  const blind = await connect(tds, { login: { name: "blind", password: "Blind-1" } });
  assert.equal(await errorNumber(ask(blind, open)), 262);
  await ask(one, "GRANT VIEW DATABASE STATE TO blind");
  assert.deepEqual(await ask(blind, open), []);
  blind.close();
});
