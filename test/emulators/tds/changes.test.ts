/** Change Tracking of the emulator. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Connection } from "tedious";
import { ask, connect, errorNumber, startServer } from "./clients.ts";

let tds: Awaited<ReturnType<typeof startServer>>;
let one: Connection;
let two: Connection;
before(async () => {
  tds = await startServer();
  one = await connect(tds);
  two = await connect(tds);
  await tds.sql("ALTER DATABASE ERP SET CHANGE_TRACKING = ON (CHANGE_RETENTION = 5 DAYS, AUTO_CLEANUP = ON)");
  await tds.sql("CREATE TABLE dbo.T (A int NOT NULL, B nvarchar(10) NOT NULL, N int NULL, PRIMARY KEY (A, B))");
  await tds.sql("INSERT INTO dbo.T VALUES (0, 'x', 0); ALTER TABLE dbo.T ENABLE CHANGE_TRACKING");
});
after(async () => {
  one.close();
  two.close();
  await tds.close();
});

const version = async (connection = two): Promise<number> => {
  const [[current]] = (await ask(connection, "SELECT CHANGE_TRACKING_CURRENT_VERSION()")) as [[string]];
  return Number(current);
};
const minimum = async (): Promise<number | null> => {
  const [[value]] = (await ask(two, "SELECT CHANGE_TRACKING_MIN_VALID_VERSION(OBJECT_ID('dbo.T'))")) as [
    [string | null],
  ];
  return value === null ? null : Number(value);
};
const changes = async (since: number | null): Promise<unknown[][]> =>
  ask(
    two,
    `SELECT SYS_CHANGE_OPERATION, ct.A, ct.B, t.N FROM CHANGETABLE(CHANGES dbo.T, ${since ?? "NULL"}) AS ct
     LEFT JOIN dbo.T AS t ON t.A = ct.A AND t.B = ct.B ORDER BY ct.A, ct.B`,
  );

test("changes come netted by key, with the version of the commit", async () => {
  const start = await version();
  assert.deepEqual([start, await minimum(), await changes(start)], [0, 0, []]);
  await ask(one, "INSERT INTO dbo.T VALUES (1, 'a', 1), (2, 'b', 2); UPDATE dbo.T SET N = 10 WHERE A = 0");
  assert.equal(await version(), 2, "two statements, two commits");
  await ask(one, "BEGIN TRAN; UPDATE dbo.T SET N = 11 WHERE A = 1; DELETE FROM dbo.T WHERE A = 2");
  assert.equal(await version(), 2, "what is not committed has no version");
  await ask(one, "COMMIT");
  assert.equal(await version(), 3);
  assert.deepEqual(await changes(0), [
    ["U", 0, "x", 10],
    ["I", 1, "a", 11],
    ["D", 2, "b", null],
  ]);
  assert.deepEqual(await changes(2), [
    ["U", 1, "a", 11],
    ["D", 2, "b", null],
  ]);
  const [row] = await ask(
    two,
    "SELECT SYS_CHANGE_VERSION, SYS_CHANGE_CREATION_VERSION FROM CHANGETABLE(CHANGES dbo.T, 0) AS c WHERE c.A = 1",
  );
  assert.deepEqual(row, ["3", "1"]);
});

test("another key is a delete and an insert; what is rolled back, or other tables', is no change", async () => {
  const since = await version();
  await ask(one, "UPDATE dbo.T SET B = 'z' WHERE A = 1");
  await ask(one, "BEGIN TRAN; DELETE FROM dbo.T; ROLLBACK");
  await ask(one, "CREATE TABLE dbo.Other (Id int); INSERT INTO dbo.Other VALUES (1)");
  assert.equal(await version(), since + 1);
  assert.deepEqual(await changes(since), [
    ["D", 1, "a", null],
    ["I", 1, "z", 11],
  ]);
});

test("a snapshot has its own version and its own changes", async () => {
  const since = await version();
  await ask(two, "SET TRANSACTION ISOLATION LEVEL SNAPSHOT; BEGIN TRAN");
  assert.equal(await version(), since);
  await ask(one, "INSERT INTO dbo.T VALUES (7, 'late', 7)");
  assert.deepEqual([await version(), await changes(since)], [since, []]);
  await ask(two, "COMMIT; SET TRANSACTION ISOLATION LEVEL READ COMMITTED");
  assert.deepEqual([await version(), (await changes(since)).length], [since + 1, 1]);
});

test("retention takes changes away, and TRUNCATE all that was known", async () => {
  const current = await version();
  tds.cleanUpChanges(BigInt(current - 1));
  assert.equal(await minimum(), current - 1);
  assert.deepEqual(await changes(null), [["I", 7, "late", 7]]);
  await ask(one, "TRUNCATE TABLE dbo.T");
  assert.deepEqual([await version(), await minimum(), await changes(null)], [current + 1, current + 1, []]);
});

test("what is not tracked, and who may not look", async () => {
  assert.equal(await errorNumber(ask(one, "SELECT * FROM CHANGETABLE(CHANGES dbo.Other, 0) AS c")), 22105);
  assert.equal(await errorNumber(ask(one, "ALTER TABLE dbo.Other ENABLE CHANGE_TRACKING")), 4998);
  assert.equal(await errorNumber(ask(one, "ALTER DATABASE ERP SET CHANGE_TRACKING = OFF")), 22115);
  assert.equal(await errorNumber(ask(one, "ALTER TABLE dbo.T ENABLE CHANGE_TRACKING")), 4996);
  await ask(
    one,
    "CREATE LOGIN looker WITH PASSWORD = 'Looker-1'; CREATE USER looker FOR LOGIN looker; GRANT SELECT TO looker",
  );
  const looker = await connect(tds, { login: { name: "looker", password: "Looker-1" } });
  const read = "SELECT COUNT(*) FROM CHANGETABLE(CHANGES dbo.T, 0) AS c";
  const least = "SELECT CHANGE_TRACKING_MIN_VALID_VERSION(OBJECT_ID('dbo.T'))";
  assert.equal(await errorNumber(ask(looker, read)), 229);
  assert.deepEqual(await ask(looker, least), [[null]]);
  await ask(one, "GRANT VIEW CHANGE TRACKING ON dbo.T TO looker");
  assert.deepEqual(await ask(looker, read), [[0]]);
  assert.notDeepEqual(await ask(looker, least), [[null]]);
  looker.close();
});

test("the table goes with its changes; the database starts again at 0", async () => {
  await ask(one, "DROP TABLE dbo.T; ALTER DATABASE ERP SET CHANGE_TRACKING = OFF");
  assert.deepEqual(await ask(two, "SELECT CHANGE_TRACKING_CURRENT_VERSION()"), [[null]]);
  assert.deepEqual(await ask(two, "SELECT * FROM sys.change_tracking_tables"), []);
  assert.equal(
    await errorNumber(ask(one, "CREATE TABLE dbo.T (Id int PRIMARY KEY); ALTER TABLE dbo.T ENABLE CHANGE_TRACKING")),
    4997,
  );
  await ask(one, "ALTER DATABASE CURRENT SET CHANGE_TRACKING = ON; ALTER TABLE dbo.T ENABLE CHANGE_TRACKING");
  assert.equal(await version(), 0);
  const [row] = await ask(two, "SELECT retention_period, retention_period_units FROM sys.change_tracking_databases");
  assert.deepEqual(row, [2, 3]);
});
