/** Who reads a masked table, directly or through another, is found on the server. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { readersAmong, readersOfTables } from "./readers.ts";
import { startTestServer } from "./test-server.ts";

const row = (objectName: string, type: string, ofName: string, ofSchema: string | null = "dbo") => ({
  ...{ schemaName: "dbo", objectName, type },
  ...{ ofName, ofSchema },
});

test("directly, through others, by a pattern, and without a schema; nobody twice", () => {
  const rows = [
    row("Pay", "P ", "Salaries"),
    row("Sums", "V ", "People"),
    row("Report", "P ", "Sums"),
    row("Loose", "FN", "people", null),
    row("Report", "P ", "People", "hr"),
    row("Round", "V ", "Report"),
    row("Sums", "V ", "Round"),
  ];
  assert.deepEqual(
    readersAmong(rows, ["dbo.Peop*"]).map(({ name, kind, reads }) => `${kind} ${name} < ${reads}`),
    [
      "function dbo.Loose < people",
      "procedure dbo.Report < dbo.Sums",
      "view dbo.Round < dbo.Report",
      "view dbo.Sums < dbo.People",
    ],
  );
  assert.deepEqual(readersAmong(rows, ["dbo.Nothing"]), []);
});

test("on a server: views, and views of views", async (t) => {
  const server = await startTestServer();
  t.after(() => server.close());
  await server.admin("CREATE TABLE dbo.People (Id int NOT NULL PRIMARY KEY, Email nvarchar(40) NULL)");
  await server.admin("CREATE TABLE dbo.Other (Id int NOT NULL PRIMARY KEY)");
  await server.admin("CREATE VIEW dbo.Mails AS SELECT p.Email FROM dbo.Other o JOIN dbo.People p ON p.Id = o.Id");
  await server.admin("CREATE VIEW dbo.Count1 AS SELECT COUNT(*) AS N FROM (SELECT Email FROM dbo.Mails) AS m");
  await server.admin("CREATE VIEW dbo.Ids AS SELECT Id FROM dbo.Other");
  const found = await readersOfTables(server.target, ["dbo.People"], new AbortController().signal);
  assert.deepEqual(
    found.map(({ name, kind, reads }) => [name, kind, reads]),
    [
      ["dbo.Count1", "view", "dbo.Mails"],
      ["dbo.Mails", "view", "dbo.People"],
    ],
  );
});
