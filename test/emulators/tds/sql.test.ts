import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Connection, TYPES } from "tedious";
import { ask, connect, errorNumber, READER, startServer } from "./clients.ts";

let tds: Awaited<ReturnType<typeof startServer>>;
let connection: Connection;
before(async () => {
  tds = await startServer();
  await tds.sql(`
    CREATE SCHEMA hr;
    CREATE TABLE dbo.Flights (Id int NOT NULL PRIMARY KEY, Origin nvarchar(3) NOT NULL, Delay int NULL, Price decimal(9,2) NULL);
    CREATE TABLE hr.People (Id int NOT NULL IDENTITY(10, 5), Name varchar(20) NOT NULL, Born date NULL, PRIMARY KEY (Name, Id));
    INSERT INTO dbo.Flights VALUES (1, N'SEA', 5, 10.50), (2, N'LAX', NULL, 20), (3, N'sea', 7, 0.25), (4, N'JFK', -3, NULL);
    INSERT INTO hr.People (Name, Born) VALUES ('Ada', '1815-12-10'), ('bob', NULL);
    CREATE VIEW dbo.Late AS SELECT Id, Delay FROM dbo.Flights WHERE Delay > 0;
    CREATE TABLE dbo.Target (Id int NOT NULL, Name nvarchar(4) NULL, CONSTRAINT PK_Target PRIMARY KEY (Id));`);
  connection = await connect(tds);
});
after(async () => {
  connection.close();
  await tds.close();
});

const SELECTS: readonly (readonly [string, unknown[][]])[] = [
  ["SELECT TOP (2) Id FROM dbo.Flights ORDER BY Id DESC", [[4], [3]]],
  ["SELECT Id FROM Flights WHERE Origin = 'SEA' ORDER BY Id", [[1], [3]]],
  ["SELECT Id FROM [ERP].[dbo].[Flights] WHERE Origin LIKE N's%' AND Delay BETWEEN 6 AND 8", [[3]]],
  ["SELECT Id FROM dbo.Flights WHERE Delay IS NULL OR NOT (Id IN (1, 2, 3))", [[2], [4]]],
  [
    "SELECT COUNT(*), COUNT_BIG(Delay), SUM(Delay), MIN(Delay), MAX(Delay), AVG(Delay) FROM dbo.Flights",
    [[4, "3", 9, -3, 7, 3]],
  ],
  ["SELECT Origin, COUNT(*) AS n FROM dbo.Flights GROUP BY Origin HAVING COUNT(*) > 1", [["SEA", 2]]],
  ["SELECT Id FROM dbo.Flights ORDER BY Id OFFSET 1 ROWS FETCH NEXT 2 ROWS ONLY", [[2], [3]]],
  [
    "SELECT f.Id, p.Name FROM dbo.Flights f LEFT JOIN hr.People AS p ON p.Id = f.Id * 5 + 5 WHERE f.Id < 3 ORDER BY f.Id",
    [
      [1, "Ada"],
      [2, "bob"],
    ],
  ],
  [
    "SELECT CASE WHEN Delay > 0 THEN 'late' WHEN Delay IS NULL THEN 'unknown' ELSE 'early' END FROM dbo.Flights ORDER BY Id",
    [["late"], ["unknown"], ["late"], ["early"]],
  ],
  ["SELECT COALESCE(NULL, Delay, 0), ISNULL(Delay, -1), NULLIF(Id, 2) FROM dbo.Flights WHERE Id = 2", [[0, -1, null]]],
  [
    "SELECT LEN(N'abc  '), UPPER('ä'), SUBSTRING('hello', 2, 3), LEFT('ab', 1), RIGHT('ab', 1), REPLACE('aXa', 'x', 'b'), CHARINDEX('l', 'hello')",
    [[3, "Ä", "ell", "a", "b", "aba", 3]],
  ],
  [
    "SELECT 7 / 2, -7 % 3, 7 / 2.0, 1 + 1.5, 'a' + N'b', 5 & 3, 0x01 + 0x02",
    [[3, -1, 3.5, 2.5, "ab", 1, Buffer.from("0102", "hex")]],
  ],
  [
    "SELECT DATEDIFF(day, '2024-01-31', DATEADD(month, 1, CAST('2024-01-31' AS date))), YEAR('2024-05-06'), DATEPART(weekday, '2024-01-07')",
    [[29, 2024, 1]],
  ],
  [
    "SELECT TRY_CONVERT(int, 'x'), TRY_CAST('12' AS int), CONVERT(varchar(10), CAST('2024-01-02' AS datetime2), 112)",
    [[null, 12, "20240102"]],
  ],
  ["SELECT Id FROM dbo.Late UNION SELECT 99 ORDER BY Id DESC", [[99], [3], [1]]],
  ["SELECT DISTINCT UPPER(Origin) AS o FROM dbo.Flights ORDER BY o", [["JFK"], ["LAX"], ["SEA"]]],
  ["WITH a AS (SELECT Id FROM dbo.Flights WHERE Id > 2) SELECT COUNT(*) FROM a", [[2]]],
  ["SELECT x.n FROM (SELECT ROW_NUMBER() OVER (ORDER BY Id DESC) AS n, Id FROM dbo.Flights) x WHERE x.Id = 4", [["1"]]],
  ["SELECT Id FROM dbo.Flights f WHERE EXISTS (SELECT 1 FROM hr.People p WHERE p.Id = f.Id * 10) ORDER BY 1", [[1]]],
  [
    "SELECT CAST(Price * 2 AS varchar(20)), CAST(Price / 3 AS varchar(30)) FROM dbo.Flights WHERE Price > 10.4 AND Price < 11",
    [["21.00", "3.5000000000000"]],
  ],
  [
    "SELECT OBJECT_NAME(OBJECT_ID(N'hr.People')), SCHEMA_NAME(1), TYPE_NAME(56), DB_NAME(), SUSER_SNAME(), ORIGINAL_LOGIN()",
    [["People", "dbo", "int", "ERP", "sa", "sa"]],
  ],
  [
    "SELECT IS_SRVROLEMEMBER('sysadmin'), IS_ROLEMEMBER('db_owner'), HAS_PERMS_BY_NAME('dbo.Flights', 'OBJECT', 'SELECT')",
    [[1, 1, 1]],
  ],
  ["SELECT SERVERPROPERTY('ProductVersion'), SERVERPROPERTY('EngineEdition')", [["16.0.1000.6", "3"]]],
  ["SELECT name FROM sys.databases WHERE database_id > 2", [["ERP"]]],
  ["DECLARE @n int = 2; SET @n = @n + 1; SELECT @n; IF @n > 2 BEGIN SELECT 'yes' END ELSE SELECT 'no'", [[3], ["yes"]]],
  ["DECLARE @x int; SELECT @x = MAX(Id) FROM dbo.Flights; SELECT @x, @@ROWCOUNT", [[4, 1]]],
  ["EXEC sp_executesql N'SELECT @a + 1', N'@a int', @a = 41", [[42]]],
  ["WAITFOR DELAY '00:00:00.010'; SELECT 1", [[1]]],
  [
    "SET TEXTSIZE 10; SELECT CAST(N'0123456789' AS nvarchar(max)), N'0123456789'; SET TEXTSIZE 2147483647",
    [["01234", "0123456789"]],
  ],
  ["SET NOCOUNT ON; DECLARE @i int = 0; WHILE @i < 3 SET @i += 1; SELECT @i; SET NOCOUNT OFF", [[3]]],
  [
    "EXEC sp_describe_first_result_set N'SELECT Id, Price FROM dbo.Flights WHERE Id = @a', N'@a int'",
    [
      [false, 1, "Id", false, 56, "int", 4, 10, 0, null, false],
      [false, 2, "Price", true, 106, "decimal(9,2)", 5, 9, 2, null, false],
    ],
  ],
  ["SET CONTEXT_INFO 0x0102; SELECT CONTEXT_INFO(), @@TRANCOUNT", [[Buffer.from("0102", "hex"), 0]]],
];

for (const [text, expected] of SELECTS) {
  test(text, async () => {
    assert.deepEqual(await ask(connection, text), expected);
  });
}

test("typed parameters take part in comparisons, TOP and arithmetic", async () => {
  const rows = await ask(connection, "SELECT TOP (@n) Id FROM dbo.Flights WHERE Id > @k AND Origin <> @o ORDER BY Id", [
    ["n", TYPES.Int, 2],
    ["k", TYPES.BigInt, "0"],
    ["o", TYPES.VarChar, "lax"],
  ]);
  assert.deepEqual(rows, [[1], [3]]);
});

test("the catalog views join, and know keys and types", async () => {
  const rows = await ask(
    connection,
    `SELECT c.name, TYPE_NAME(c.user_type_id), c.max_length, c.is_nullable, ic.key_ordinal
     FROM sys.tables t JOIN sys.schemas s ON s.schema_id = t.schema_id JOIN sys.columns c ON c.object_id = t.object_id
     LEFT JOIN sys.indexes i ON i.object_id = t.object_id AND i.is_primary_key = 1
     LEFT JOIN sys.index_columns ic ON ic.object_id = t.object_id AND ic.index_id = i.index_id AND ic.column_id = c.column_id
     WHERE s.name = N'hr' AND t.name = N'People' ORDER BY c.column_id`,
  );
  assert.deepEqual(rows, [
    ["Id", "int", 4, false, 2],
    ["Name", "varchar", 20, false, 1],
    ["Born", "date", 3, true, null],
  ]);
});

test("a view's columns are in the catalog, with their types", async () => {
  const rows = await ask(
    connection,
    "SELECT c.name, t.name FROM sys.columns c JOIN sys.types t ON t.user_type_id = c.user_type_id WHERE c.object_id = OBJECT_ID(N'dbo.Late') ORDER BY c.column_id",
  );
  assert.deepEqual(rows, [
    ["Id", "int"],
    ["Delay", "int"],
  ]);
});

test("INSERT, UPDATE with TOP and FROM, DELETE, TRUNCATE and OUTPUT change what they say", async () => {
  await ask(
    connection,
    "INSERT INTO dbo.Target SELECT Id, Origin FROM dbo.Flights; UPDATE TOP (1) dbo.Target SET Name = N'x'",
  );
  assert.deepEqual(await ask(connection, "SELECT COUNT(*) FROM dbo.Target WHERE Name = 'x'"), [[1]]);
  await ask(
    connection,
    "CREATE TABLE #s (Id int PRIMARY KEY, Name nvarchar(4)); INSERT INTO #s VALUES (2, N'two'), (9, N'nine')",
  );
  await ask(
    connection,
    `UPDATE t SET Name = s.Name FROM dbo.Target t JOIN #s s ON s.Id = t.Id;
     INSERT INTO dbo.Target (Id, Name) SELECT s.Id, s.Name FROM #s s WHERE NOT EXISTS (SELECT 1 FROM dbo.Target t WHERE t.Id = s.Id)`,
  );
  assert.deepEqual(await ask(connection, "SELECT Name FROM dbo.Target WHERE Id IN (2, 9) ORDER BY Id"), [
    ["two"],
    ["nine"],
  ]);
  assert.deepEqual(await ask(connection, "DELETE FROM dbo.Target OUTPUT deleted.Id WHERE Id > 3 AND Id < 9"), [[4]]);
  assert.deepEqual(await ask(connection, "TRUNCATE TABLE dbo.Target; SELECT COUNT(*) FROM dbo.Target"), [[0]]);
  assert.deepEqual(await ask(connection, "INSERT INTO hr.People (Name) OUTPUT inserted.Id VALUES ('Cy')"), [[20]]);
});

const ERRORS: readonly (readonly [number, string])[] = [
  [102, "SELECT 1 +"],
  [102, "SELECT 1 1"],
  [102, "BEGIN TRY SELECT 1 END TRY"],
  [156, "SELECT Id FROM dbo.Flights CROSS APPLY (SELECT 1 AS n) x"],
  [156, "SELECT TOP (1) WITH TIES Id FROM dbo.Flights ORDER BY Id"],
  [102, "ALTER DATABASE ERP SET RECOVERY SIMPLE"],
  [102, "SET NOTHING ON"],
  [156, "SELECT FROM dbo.Flights"],
  [156, "MERGE dbo.Target AS t USING dbo.Flights AS f ON 1 = 1"],
  [105, "SELECT 'open"],
  [207, "SELECT Nope FROM dbo.Flights"],
  [208, "SELECT * FROM dbo.Nope"],
  [208, "SELECT * FROM other.dbo.Flights"],
  [4104, "SELECT z.Id FROM dbo.Flights f"],
  [209, "SELECT Id FROM dbo.Flights a JOIN dbo.Flights b ON a.Id = b.Id"],
  [137, "SELECT @nope"],
  [195, "SELECT NOPE(1)"],
  [245, "SELECT CAST('x' AS int)"],
  [8114, "SELECT CAST('x' AS decimal(5,2))"],
  [8115, "SELECT CAST(300 AS tinyint)"],
  [8115, "SELECT 2147483647 + Id FROM dbo.Flights"],
  [241, "SELECT CAST('2024-02-30' AS date)"],
  [8169, "SELECT CAST('x' AS uniqueidentifier)"],
  [8134, "SELECT 1 / (Id - 1) FROM dbo.Flights"],
  [8120, "SELECT Id, COUNT(*) FROM dbo.Flights"],
  [2627, "INSERT INTO dbo.Flights VALUES (1, N'SEA', 1, 1)"],
  [515, "INSERT INTO dbo.Target (Name) VALUES (N'a')"],
  [515, "INSERT INTO dbo.Target (Id) SELECT Delay FROM dbo.Flights WHERE Id = 2"],
  [515, "UPDATE dbo.Flights SET Origin = NULL WHERE Id = 1"],
  [2628, "INSERT INTO dbo.Target VALUES (1, N'too long')"],
  [544, "INSERT INTO hr.People (Id, Name) VALUES (1, 'x')"],
  [213, "INSERT INTO dbo.Target VALUES (1)"],
  [911, "USE nowhere"],
  [2812, "EXEC dbo.nothing"],
  [2714, "CREATE TABLE dbo.Target (Id int)"],
  [3701, "DROP TABLE dbo.Nope"],
  [3902, "COMMIT"],
  [3903, "ROLLBACK"],
];

for (const [number, text] of ERRORS) {
  test(`error ${number}: ${text}`, async () => {
    assert.equal(await errorNumber(ask(connection, text)), number);
    assert.deepEqual(await ask(connection, "SELECT 1"), [[1]], "the session goes on");
  });
}

test("a login sees what it may SELECT and nothing else", async () => {
  const reader = await connect(tds, { login: READER });
  assert.deepEqual(await ask(reader, "SELECT COUNT(*) FROM dbo.Flights"), [[4]]);
  assert.deepEqual(
    await ask(reader, "SELECT HAS_PERMS_BY_NAME('dbo.Target', 'OBJECT', 'SELECT'), IS_SRVROLEMEMBER('sysadmin')"),
    [[0, 0]],
  );
  assert.equal(await errorNumber(ask(reader, "SELECT * FROM dbo.Target")), 229);
  assert.equal(await errorNumber(ask(reader, "DELETE FROM dbo.Flights")), 229);
  assert.equal(await errorNumber(ask(reader, "DROP TABLE dbo.Flights")), 262);
  reader.close();
});

test("SET FMTONLY ON gives columns without rows, as bcp asks for them", async () => {
  const rows = await ask(connection, "SET FMTONLY ON select * from ERP.dbo.Flights SET FMTONLY OFF SELECT 7");
  assert.deepEqual(rows, [[7]]);
});
