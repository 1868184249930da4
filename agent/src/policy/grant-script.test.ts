import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import type { MssqlConnection } from "@sallyport/shared/schema/policy.ts";
import { Connection, Request } from "tedious";
import { startTds } from "../../../test/emulators/tds/start.ts";
import { makeAuthority } from "../../../test/emulators/tls/certificates.ts";
import { parsePolicy } from "./file.ts";
import { grantScript, revokeScript, sessionsScript } from "./grant-script.ts";

const connectionWith = (rules: string, database = "ERP"): MssqlConnection =>
  parsePolicy(`
v: 1
connections:
  erp:
    kind: mssql
    address: sql01:1433
    database: "${database}"
    tls: { mode: required }
    logins: [svc]
    rules:
${rules}`).connections.erp as MssqlConnection;

const EVERYTHING = connectionWith(`
      - { id: orders, allow: [table, changes], tables: [dbo.Orders, "archive.Orders_*"] }
      - { id: again, allow: [table], tables: [dbo.Orders] }
      - { id: people, allow: [table, schema], tables: [dbo.People], columns: [Id, "Odd]Name"] }
      - { id: shapes, allow: [schema], tables: [dbo.Shapes] }
      - { id: salaries, allow: [table], tables: [hr.Salaries] }
      - { id: open, allow: [statement], name: open, sql: SELECT 1 AS One, returns: [One] }
      - { id: status, allow: [update], tables: [dbo.Status], columns: [Id, Status], key: [Id], requestTable: dbo.Requests }
      - { id: log, allow: [insert], tables: [dbo.Log], columns: [Line] }
      - id: close
        allow: [call]
        procedure: dbo.CloseOrder
        parameters: { id: int, lines: { tableType: dbo.Lines, columns: { Line: int } } }
        effect: write
      - { id: never, deny: all, tables: ["hr.*", archive.Orders_Secret] }
`);

const RIGHTS = `GRANT SELECT ON OBJECT::[dbo].[Orders] TO [svc];
GRANT VIEW CHANGE TRACKING ON OBJECT::[dbo].[Orders] TO [svc];
SET @sql = N'';
SELECT @sql += N'GRANT SELECT ON OBJECT::' + QUOTENAME(s.name) + N'.' + QUOTENAME(t.name) + N' TO [svc];'
FROM sys.tables t JOIN sys.schemas s ON s.schema_id = t.schema_id WHERE (s.name = N'archive' AND t.name LIKE N'Orders[_]%') AND t.is_external = 0 AND t.temporal_type <> 1 AND NOT (s.name = N'hr' AND t.name LIKE N'%') AND NOT (s.name = N'archive' AND t.name LIKE N'Orders[_]Secret');
EXEC sys.sp_executesql @sql;
SET @sql = N'';
SELECT @sql += N'GRANT VIEW CHANGE TRACKING ON OBJECT::' + QUOTENAME(s.name) + N'.' + QUOTENAME(t.name) + N' TO [svc];'
FROM sys.tables t JOIN sys.schemas s ON s.schema_id = t.schema_id WHERE (s.name = N'archive' AND t.name LIKE N'Orders[_]%') AND t.is_external = 0 AND t.temporal_type <> 1 AND NOT (s.name = N'hr' AND t.name LIKE N'%') AND NOT (s.name = N'archive' AND t.name LIKE N'Orders[_]Secret');
EXEC sys.sp_executesql @sql;
GRANT SELECT ([Id], [Odd]]Name]) ON OBJECT::[dbo].[People] TO [svc];
GRANT VIEW DEFINITION ON OBJECT::[dbo].[Shapes] TO [svc];
GRANT SELECT ([Id], [Status]) ON OBJECT::[dbo].[Status] TO [svc];
GRANT UPDATE ([Id], [Status]) ON OBJECT::[dbo].[Status] TO [svc];
GRANT SELECT ON OBJECT::[dbo].[Requests] TO [svc];
GRANT INSERT ON OBJECT::[dbo].[Requests] TO [svc];
GRANT UPDATE ON OBJECT::[dbo].[Requests] TO [svc];
GRANT INSERT ON OBJECT::[dbo].[Log] TO [svc];
GRANT EXECUTE ON OBJECT::[dbo].[CloseOrder] TO [svc];
GRANT EXECUTE ON TYPE::[dbo].[Lines] TO [svc];
`;

/** Of histories and external tables a pattern gives nothing; what was given before they were that is taken back. */
const OWN_ROWS = " AND t.is_external = 0 AND t.temporal_type <> 1";

test("the script gives what each rule needs, once, and nothing of what is denied", () => {
  assert.equal(
    grantScript("erp", EVERYTHING, "svc"),
    `-- Rights of the connection erp in the policy. Run as an administrator of the server.
DECLARE @create nvarchar(max) = N'CREATE LOGIN [svc] WITH PASSWORD = N''' + CONVERT(nvarchar(64), CRYPT_GEN_RANDOM(24), 2) + N'aA1!''';
IF SUSER_ID(N'svc') IS NULL EXEC sys.sp_executesql @create;
-- Its password is random: set one that you store, with ALTER LOGIN … WITH PASSWORD.
USE [ERP];
IF DATABASE_PRINCIPAL_ID(N'svc') IS NULL CREATE USER [svc] FOR LOGIN [svc];
-- A name with * is every base table that it fits today: run this again for those that come.
DECLARE @sql nvarchar(max);
${RIGHTS}-- open: grant what its T-SQL reads; the agent does not parse it.
`,
  );
});

test("what is given is what is taken back", () => {
  const taken = revokeScript("erp", EVERYTHING, "svc").split("DECLARE @sql nvarchar(max);\n")[1];
  assert.equal(
    taken,
    RIGHTS.replaceAll("GRANT ", "REVOKE ").replaceAll(" TO [svc];", " FROM [svc];").replaceAll(OWN_ROWS, ""),
  );
});

test("names cannot leave their quotes", () => {
  const connection = connectionWith(`      - { id: a, allow: [table], tables: ["o;x.T--*"] }`, "E]R'P");
  const script = grantScript("erp", connection, "x]'; DROP LOGIN sa --");
  assert.match(script, /USE \[E\]\]R'P\];/);
  assert.match(script, /= N'CREATE LOGIN \[x\]\]''; DROP LOGIN sa --\] WITH PASSWORD = N''' \+/);
  assert.match(script, /SUSER_ID\(N'x\]''; DROP LOGIN sa --'\)/);
  assert.match(script, /\+ N' TO \[x\]\]''; DROP LOGIN sa --\];'/);
  assert.match(script, /s\.name = N'o;x' AND t\.name LIKE N'T--%'/);
});

test("a Windows login is made from Windows", () => {
  const script = grantScript("erp", connectionWith("      []"), "CORP\\svc");
  assert.match(script, /N'CREATE LOGIN \[CORP\\svc\] FROM WINDOWS';/);
  assert.doesNotMatch(script, /PASSWORD/);
});

test("sessions are found by the name and the id that they show", () => {
  const script = sessionsScript("erp");
  assert.equal(script.match(/program_name = N'sallyport\/erp'/g)?.length, 2);
  assert.match(script, /KILL .*session_id[\s\S]*SUBSTRING\(context_info/);
});

/** Which statements the login may run. */
async function allowed(port: number, ca: string, statements: readonly string[]): Promise<boolean[]> {
  const connection = new Connection({
    server: "localhost",
    authentication: { type: "default", options: { userName: "svc", password: "Reader-1" } },
    options: { port, database: "ERP", encrypt: true, cryptoCredentialsDetails: { ca } },
  });
  await new Promise<void>((resolve, reject) => {
    connection.connect((error) => (error ? reject(error) : resolve()));
  });
  const may: boolean[] = [];
  for (const sql of statements) {
    const error = await new Promise<Error | null | undefined>((resolve) => {
      connection.execSqlBatch(new Request(sql, resolve));
    });
    if (error) assert.equal((error as { number?: number }).number, 229, String(error));
    may.push(!error);
  }
  const closed = once(connection, "end");
  connection.close();
  await closed;
  return may;
}

test("on a server: the login reads and writes what the policy allows, and after the revoke nothing", async (t) => {
  const authority = await makeAuthority();
  const tls = await authority.issue({ names: ["localhost"], addresses: ["127.0.0.1"] });
  const server = await startTds({ tls, logins: [], databases: ["ERP"] });
  t.after(() => server.close());
  await server.sql(`CREATE LOGIN svc WITH PASSWORD = 'Reader-1'; CREATE USER svc FOR LOGIN svc;
    CREATE TABLE dbo.Orders (Id int); CREATE TABLE dbo.Log (Line int); CREATE TABLE dbo.Other (Id int)`);
  const connection = connectionWith(`
      - { id: orders, allow: [table, changes], tables: [dbo.Orders] }
      - { id: log, allow: [insert], tables: [dbo.Log], columns: [Line] }`);
  // What the emulator has no word for: IF, and text that is run.
  const rights = (script: string) => script.split("\n").filter((line) => /^(GRANT|REVOKE) /.test(line));
  const granted = rights(grantScript("erp", connection, "svc"));
  assert.equal(granted.length, 3);
  const all = () => {
    const statements = [
      "SELECT Id FROM dbo.Orders",
      "DELETE FROM dbo.Orders",
      "SELECT Id FROM dbo.Other",
      "INSERT INTO dbo.Log VALUES (1)",
      "SELECT Line FROM dbo.Log",
    ];
    return allowed(server.port, authority.caPem, statements);
  };
  await server.sql(granted.join("\n"));
  assert.deepEqual(await all(), [true, false, false, true, false]);
  await server.sql(rights(revokeScript("erp", connection, "svc")).join("\n"));
  assert.deepEqual(await all(), [false, false, false, false, false]);
});
