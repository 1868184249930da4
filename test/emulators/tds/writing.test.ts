/** What writing needs of the emulator: temporary tables, bulk loads, transactions, constraints, procedures, table values. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Connection, Request, TYPES } from "tedious";
import { ask, connect, errorNumber, startServer } from "./clients.ts";

let tds: Awaited<ReturnType<typeof startServer>>;
let connection: Connection;
before(async () => {
  tds = await startServer();
  await tds.sql(`CREATE TABLE dbo.Parents (Id int NOT NULL PRIMARY KEY);
    CREATE TABLE dbo.Children (Id int NOT NULL, Parent int NULL REFERENCES dbo.Parents (Id), PRIMARY KEY (Id),
      FOREIGN KEY (Parent) REFERENCES dbo.Parents (Id));
    CREATE TABLE dbo.Stock (Id int NOT NULL PRIMARY KEY, Amount decimal(9, 2) NULL);
    INSERT INTO dbo.Parents VALUES (1); INSERT INTO dbo.Stock VALUES (1, 1), (2, 2), (3, 3)`);
  tds.procedure({
    name: "dbo.Double",
    parameters: "@id int, @amount decimal(9, 2) OUTPUT",
    run: async ({ sql, values }) => {
      await sql("UPDATE dbo.Stock SET Amount = Amount * 2 WHERE Id = @id");
      await sql(
        "SELECT @amount = Amount FROM dbo.Stock WHERE Id = @id; SELECT Id FROM dbo.Stock ORDER BY Id; SELECT 'two' AS b",
      );
      return Number(values.id) + 40;
    },
  });
  tds.procedure({
    name: "dbo.Count",
    parameters: "@rows dbo.Rows READONLY",
    run: ({ rows }) => rows("rows").length,
  });
  connection = await connect(tds);
});
after(async () => {
  connection.close();
  await tds.close();
});

test("rows wait in a temporary table, survive a rollback there, and change the target by join", async () => {
  await ask(connection, "CREATE TABLE #w (o int NOT NULL, k int NOT NULL, a decimal(9, 2) NULL, PRIMARY KEY (k, o))");
  const load = await new Promise<number | undefined>((resolve, reject) => {
    const bulk = connection.newBulkLoad("#w", { keepNulls: true, lockTable: true }, (error, rows) =>
      error ? reject(error) : resolve(rows),
    );
    for (const name of ["o", "k"]) bulk.addColumn(name, TYPES.Int, { nullable: false });
    bulk.addColumn("a", TYPES.Decimal, { nullable: true, precision: 9, scale: 2 });
    connection.execBulkLoad(bulk, [
      [0, 2, 20],
      [1, 3, null],
      [2, 9, 9],
    ]);
  });
  assert.equal(load, 3);
  const [update, insert] = [
    "UPDATE t SET t.Amount = s.a FROM dbo.Stock AS t WITH (UPDLOCK, HOLDLOCK) JOIN #w AS s ON t.Id = s.k",
    "INSERT INTO dbo.Stock (Id, Amount) SELECT s.k, s.a FROM #w AS s WHERE NOT EXISTS (SELECT 1 FROM dbo.Stock AS t WHERE t.Id = s.k)",
  ];
  await ask(connection, "BEGIN TRANSACTION");
  assert.deepEqual(await ask(connection, `${update}; SELECT @@ROWCOUNT`), [[2]]);
  assert.deepEqual(await ask(connection, `${insert}; SELECT @@ROWCOUNT, @@TRANCOUNT`), [[1, 1]]);
  await ask(connection, "ROLLBACK");
  assert.deepEqual(await ask(connection, "SELECT COUNT(*) FROM dbo.Stock"), [[3]]);
  assert.deepEqual(await ask(connection, "SELECT COUNT(*) FROM #w"), [[3]]);
  assert.deepEqual(
    await ask(
      connection,
      "DELETE t FROM dbo.Stock AS t WHERE NOT EXISTS (SELECT 1 FROM #w AS s WHERE s.k = t.Id); SELECT @@ROWCOUNT",
    ),
    [[1]],
  );
  await ask(connection, "INSERT INTO dbo.Stock VALUES (1, 1)");
});

test("an error undoes its statement; with XACT_ABORT its transaction", async () => {
  await ask(connection, "BEGIN TRANSACTION; INSERT INTO dbo.Parents VALUES (5)");
  assert.equal(await errorNumber(ask(connection, "INSERT INTO dbo.Parents VALUES (6), (5)")), 2627);
  assert.deepEqual(await ask(connection, "SELECT COUNT(*), @@TRANCOUNT FROM dbo.Parents"), [[2, 1]]);
  await ask(connection, "SET XACT_ABORT ON");
  assert.equal(await errorNumber(ask(connection, "INSERT INTO dbo.Parents VALUES (5)")), 2627);
  assert.deepEqual(await ask(connection, "SELECT COUNT(*), @@TRANCOUNT FROM dbo.Parents"), [[1, 0]]);
  await ask(connection, "SET XACT_ABORT OFF");
});

test("a foreign key that points nowhere is error 547, also for the parent that goes", async () => {
  assert.equal(await errorNumber(ask(connection, "INSERT INTO dbo.Children VALUES (1, 9)")), 547);
  await ask(connection, "INSERT INTO dbo.Children VALUES (1, 1), (2, NULL)");
  assert.equal(await errorNumber(ask(connection, "DELETE FROM dbo.Parents WHERE Id = 1")), 547);
});

test("a procedure in TypeScript: inputs, outputs, return value, result sets; in a batch and as an RPC", async () => {
  const text = "DECLARE @r int, @a decimal(9, 2); EXEC @r = [dbo].[Double] @id = 2, @amount = @a OUTPUT; SELECT @r, @a";
  assert.deepEqual(await ask(connection, text), [[1], [2], [3], ["two"], [42, 4]]);
  const returned: [string, unknown][] = [];
  let status: unknown;
  await new Promise<void>((resolve, reject) => {
    const request = new Request("dbo.Double", (error) => (error ? reject(error) : resolve()));
    request.addParameter("id", TYPES.Int, 2);
    request.addOutputParameter("amount", TYPES.Decimal, null, { precision: 9, scale: 2 });
    request.on("returnValue", (name, value) => returned.push([name, value]));
    request.on("doneProc", (_count, _more, returnStatus) => {
      status = returnStatus;
    });
    connection.callProcedure(request);
  });
  assert.deepEqual([returned, status], [[["amount", 8]], 42]);
});

test("a procedure wants its parameters, its right to be run, and to be there", async () => {
  assert.equal(await errorNumber(ask(connection, "EXEC dbo.Double")), 201);
  assert.equal(await errorNumber(ask(connection, "EXEC dbo.Double @id = 1, @other = 2")), 8144);
  assert.equal(await errorNumber(ask(connection, "EXEC dbo.Nothing")), 2812);
});

test("rows of a table type are counted as they came", async () => {
  const value = { name: "Rows", schema: "dbo", columns: [{ name: "a", type: TYPES.Int }], rows: [[1], [null], [3]] };
  const text = "DECLARE @r int; EXEC @r = dbo.Count @rows = @given; SELECT @r";
  assert.deepEqual(await ask(connection, text, [["given", TYPES.TVP, value]]), [[3]]);
});
