import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { startServer } from "./clients.ts";

test("a kept directory opens again with its tables, keys, views, identities and rowversions", async () => {
  const directory = mkdtempSync(join(tmpdir(), "tds-kept-"));
  try {
    const first = await startServer({ directory });
    await first.sql(`CREATE SCHEMA hr; CREATE TABLE hr.T (Id int IDENTITY(5, 5) PRIMARY KEY, D decimal(9,2), V rowversion);
      INSERT INTO hr.T (D) VALUES (1.25), (2.5); CREATE VIEW hr.W AS SELECT Id FROM hr.T; SELECT Id, D INTO dbo.Copy FROM hr.T`);
    await first.close();
    const second = await startServer({ directory });
    await second.sql("INSERT INTO hr.T (D) VALUES (3)");
    const { rows } = await second.sql("SELECT Id, D, V FROM hr.T WHERE Id IN (SELECT Id FROM hr.W) ORDER BY Id");
    assert.deepEqual(rows, [
      { Id: 5, D: "1.25", V: 2001n },
      { Id: 10, D: "2.50", V: 2002n },
      { Id: 15, D: "3.00", V: 2003n },
    ]);
    assert.deepEqual((await second.sql("SELECT COUNT(*) AS n FROM dbo.Copy")).rows, [{ n: 2 }]);
    await assert.rejects(second.sql("INSERT INTO hr.T (Id) VALUES (5)"), { number: 544 });
    await second.close();
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("a table that was created in a transaction goes with it", async () => {
  const tds = await startServer();
  await tds.sql("BEGIN TRAN; CREATE TABLE dbo.Gone (Id int); INSERT INTO dbo.Gone VALUES (1); ROLLBACK");
  assert.deepEqual((await tds.sql("SELECT OBJECT_ID(N'dbo.Gone') AS id")).rows, [{ id: null }]);
  await assert.rejects(tds.sql("SELECT * FROM dbo.Gone"), { number: 208 });
  await tds.sql("CREATE TABLE dbo.Gone (Id int)");
  await tds.close();
});
