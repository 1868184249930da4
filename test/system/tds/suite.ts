/** The SQL Server emulator as FreeTDS sees it: if it were wrong in the way that our own reader is, no other test would tell. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startTds, type Tds } from "../../emulators/tds/start.ts";
import { makeAuthority } from "../../emulators/tls/certificates.ts";
import { EXACT_COLUMNS, type ExactColumn, type ExactRow, exactSql, readExactRows } from "../../stack/exact.ts";
import type { Check, Suite } from "../suite.ts";
import { CELL_END, type FreeTds, type FreeTdsLogin, freeTds, ROW_END, rowsOf } from "./freetds.ts";

const ADMIN = { name: "sa", password: "Sp-ädmin 1" } as const;
const READER = { name: "reader", password: "reader-1", rights: { select: ["sales"] } };
const LOGIN: FreeTdsLogin = { server: "ours", user: ADMIN.name, password: ADMIN.password, database: "ERP" };

export const tds: Suite = {
  name: "tds",
  about: "the SQL Server emulator, read by FreeTDS (tsql and freebcp)",
  async run(check) {
    const folder = mkdtempSync(join(tmpdir(), "sallyport-tds-"));
    const [authority, stranger] = await Promise.all([makeAuthority(), makeAuthority()]);
    const certificate = await authority.issue({ names: ["localhost"], addresses: ["127.0.0.1"] });
    const server = await startTds({ tls: certificate, logins: [ADMIN, READER], databases: ["ERP"] });
    try {
      const [caFile, otherFile] = [join(folder, "ca.pem"), join(folder, "other.pem")];
      writeFileSync(caFile, authority.caPem);
      writeFileSync(otherFile, stranger.caPem);
      const { port } = server;
      const client = freeTds(folder, { ours: { port, caFile }, stranger: { port, caFile: otherFile } });
      await server.sql(exactSql(readExactRows()));
      await checkLogins(check, server, client);
      await checkValues(check, client, folder);
      await checkErrors(check, client);
      await checkBulk(check, server, client, folder);
      await checkChanges(check, server, client);
    } finally {
      await server.close();
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

async function checkLogins(check: Check, server: Tds, client: FreeTds): Promise<void> {
  await check("tsql logs in over TLS, with the password of its LOGIN7", async () => {
    const { stdout, stderr } = await client.tsql(LOGIN, "SELECT SUSER_SNAME(), DB_NAME(), @@SPID");
    assert.deepEqual([rowsOf(stdout).map((row) => row.slice(0, 2)), stderr], [[["sa", "ERP"]], ""]);
    const login = server.log.findLast((entry) => entry.kind === "login");
    assert.deepEqual([login?.encrypted, login?.application, login?.result], [true, "TSQL", "ok"]);
  });
  await check("a wrong password is error 18456, an unknown database 4060, and neither gets in", async () => {
    const wrong = await client.tsql({ ...LOGIN, password: "wrong" }, "SELECT 1");
    assert.equal(wrong.exitCode, 1);
    assert.match(wrong.stderr, /Msg 18456 \(severity 14, state 1\)/);
    const nowhere = await client.tsql({ ...LOGIN, database: "Nowhere" }, "SELECT 1");
    assert.match(nowhere.stderr, /Msg 4060 /);
  });
  await check("a certificate of an authority that the client does not know ends it before LOGIN7", async () => {
    const before = server.log.length;
    const refused = await client.tsql({ ...LOGIN, server: "stranger" }, "SELECT 1");
    assert.equal(refused.exitCode, 1);
    assert.deepEqual(
      server.log.slice(before).filter(({ kind }) => kind === "login"),
      [],
    );
  });
}

/** FreeTDS shows moments to the millisecond, in `freebcp` only; everything else in full. */
const MOMENTS: ReadonlySet<string> = new Set(["date", "time(7)", "datetime2(7)", "datetime2(3)", "datetimeoffset(7)"]);
const NAMES = Object.keys(EXACT_COLUMNS) as ExactColumn[];

async function checkValues(check: Check, client: FreeTds, folder: string): Promise<void> {
  await check("tsql reads every literal of dbo.Exact, the moments apart", async () => {
    const { stdout, stderr } = await client.tsql(LOGIN, "SELECT * FROM dbo.Exact ORDER BY Id");
    assert.equal(stderr, "");
    const names = NAMES.filter((name) => !MOMENTS.has(EXACT_COLUMNS[name]));
    const shown = rowsOf(stdout).map((row) => names.map((name) => canonical(name, row[NAMES.indexOf(name)]!)));
    const expected = readExactRows().map((row) => names.map((name) => expectedOf(row, name)));
    assert.deepEqual(shown, expected);
    assert.ok(expected.length >= 10);
  });
  await check("freebcp reads every moment of dbo.Exact to the millisecond", async () => {
    const file = join(folder, "exact.txt");
    const { exitCode, stdout, stderr } = await client.bcp(LOGIN, "dbo.Exact", "out", file);
    assert.deepEqual([exitCode, stderr], [0, ""]);
    const rows = readExactRows();
    assert.match(stdout, new RegExp(`\\b${rows.length} rows copied`));
    const names = NAMES.filter((name) => MOMENTS.has(EXACT_COLUMNS[name]));
    const shown = rowsOf(readFileSync(file, "utf8")).map((row) => names.map((name) => row[NAMES.indexOf(name)]!));
    assert.deepEqual(
      shown,
      rows.map((row) => names.map((name) => momentOf(row, name))),
    );
  });
  await check("tsql reads the types that dbo.Exact has not, and a value of many packets", async () => {
    const columns: readonly (readonly [sql: string, shown: string])[] = [
      ["CAST(-32768 AS smallint)", "-32768"],
      ["CAST(1.5 AS real)", "1.5"],
      ["CAST(-214748.3648 AS smallmoney)", "-214748.3648"],
      ["CAST(-12.34 AS numeric(5, 2))", "-12.34"],
      ["CAST(N'ab' AS nchar(5))", "ab   "],
      ["CAST('ab' AS char(4))", "ab  "],
      ["CAST('ÿé' AS varchar(10))", "ÿé"],
      ["CAST(0x0102 AS binary(4))", "01020000"],
      ["CAST(0x00000000000007D1 AS rowversion)", "00000000000007d1"],
      ["CAST('2079-06-06T23:59:00' AS smalldatetime)", "Jun  6 2079 11:59PM"],
      ["CAST('9999-12-31T23:59:59.997' AS datetime)", "Dec 31 9999 11:59PM"],
      ["CAST(N'<a>é</a>' AS xml)", "<a>é</a>"],
      ["CAST(NULL AS bigint)", "NULL"],
      ["REPLICATE(CAST(N'é𝄞' AS nvarchar(max)), 50000)", "é𝄞".repeat(50_000)],
    ];
    const { stdout, stderr } = await client.tsql(LOGIN, `SELECT ${columns.map(([sql]) => sql).join(", ")}`);
    assert.equal(stderr, "");
    assert.deepEqual(rowsOf(stdout), [columns.map(([, shown]) => shown)]);
  });
}

/** tsql writes the exponent of a float, and UUIDs, its own way. */
function canonical(name: ExactColumn, shown: string): string {
  if (shown === "NULL") return shown;
  if (EXACT_COLUMNS[name] === "float") return String(Number(shown));
  return EXACT_COLUMNS[name] === "uniqueidentifier" ? shown.toLowerCase() : shown;
}

function expectedOf(row: ExactRow, name: ExactColumn): string {
  const text = row[name];
  if (text === null) return "NULL";
  return EXACT_COLUMNS[name] === "float" ? String(Number(text)) : text;
}

/** As freebcp writes it: a year without zeros in front, milliseconds cut, a time on 1 January 1900, an offset left out. */
function momentOf(row: ExactRow, name: ExactColumn): string {
  const text = row[name];
  if (text === null) return "";
  const [, date = "1900-01-01", time = "00:00:00", fraction = ""] =
    /^(\d{4}-\d\d-\d\d)?T?(\d\d:\d\d:\d\d)?(?:\.(\d+))?([+-]\d\d:\d\d)?$/.exec(text) ?? [];
  return `${date.replace(/^0+/, "")} ${time}.${fraction.padEnd(3, "0").slice(0, 3)}`;
}

async function checkErrors(check: Check, client: FreeTds): Promise<void> {
  await check("errors have SQL Server's numbers, and the batch after them runs", async () => {
    const cases: readonly (readonly [batch: string, number: number])[] = [
      ["SELECT 1 FROM dbo.Nothing", 208],
      ["SELECT Nothing FROM dbo.Exact", 207],
      ["SELECT FROM", 156],
      ["SELECT 1 / 0", 8134],
      ["INSERT INTO dbo.Exact (Id) VALUES (1)", 2627],
    ];
    for (const [batch, number] of cases) {
      const { stdout, stderr } = await client.tsql(LOGIN, `${batch}\nGO\nSELECT 'alive'`);
      assert.match(stderr, new RegExp(`^Msg ${number} `));
      assert.deepEqual(rowsOf(stdout).at(-1), ["alive"]);
    }
    const reader = { ...LOGIN, user: READER.name, password: READER.password };
    assert.match((await client.tsql(reader, "SELECT Id FROM dbo.Exact")).stderr, /^Msg 229 /);
  });
}

async function checkBulk(check: Check, server: Tds, client: FreeTds, folder: string): Promise<void> {
  await check("freebcp loads rows, and they are there as they were in the file", async () => {
    const rows = Array.from({ length: 3000 }, (_, id) => ({
      Id: id,
      Amount: id % 7 === 0 ? null : `${id % 2 ? "-" : ""}${id + 1}234567890123456789012.0123456789`,
      Name: id % 5 === 0 ? null : `Ωμέγα ${id}`,
      Big: BigInt(id) - 2n ** 63n,
    }));
    const file = join(folder, "load.txt");
    const line = (row: object) =>
      Object.values(row)
        .map((value) => value ?? "")
        .join(CELL_END) + ROW_END;
    writeFileSync(file, rows.map(line).join(""));
    await server.sql(
      "CREATE TABLE dbo.Loaded (Id int NOT NULL, Amount decimal(38, 10) NULL, Name nvarchar(40) NULL, Big bigint NOT NULL)",
    );
    const { exitCode, stderr } = await client.bcp(LOGIN, "dbo.Loaded", "in", file);
    assert.deepEqual([exitCode, stderr], [0, ""]);
    const loaded = await server.sql("SELECT * FROM dbo.Loaded ORDER BY Id");
    assert.deepEqual(
      loaded.rows.map((row) => ({ ...row })),
      rows,
    );
  });
}

async function checkChanges(check: Check, server: Tds, client: FreeTds): Promise<void> {
  await check("tsql writes through a temporary table, rolls back and commits", async () => {
    await server.sql("CREATE TABLE dbo.Changed (Id int NOT NULL PRIMARY KEY, V nvarchar(10) NULL)");
    const stage =
      "CREATE TABLE #w (k int NOT NULL PRIMARY KEY, v nvarchar(10) NULL); INSERT INTO #w VALUES (1, N'ä'), (2, NULL)";
    const apply =
      "INSERT INTO dbo.Changed (Id, V) SELECT s.k, s.v FROM #w AS s WHERE NOT EXISTS (SELECT 1 FROM dbo.Changed AS t WHERE t.Id = s.k)";
    const update = "UPDATE t SET t.V = N'new' FROM dbo.Changed AS t JOIN #w AS s ON s.k = t.Id WHERE s.k = 2";
    const batch = `${stage}\nGO\nBEGIN TRANSACTION; ${apply}; ROLLBACK\nGO\nBEGIN TRANSACTION; ${apply}; ${update}; COMMIT`;
    const { stdout, stderr } = await client.tsql(LOGIN, `${batch}\nGO\nSELECT Id, V FROM dbo.Changed ORDER BY Id`);
    assert.deepEqual(
      [rowsOf(stdout), stderr],
      [
        [
          ["1", "ä"],
          ["2", "new"],
        ],
        "",
      ],
    );
  });
  await check("tsql calls a procedure: its output, its return value, its result sets", async () => {
    server.procedure({
      name: "dbo.Twice",
      parameters: "@n int, @twice int OUTPUT",
      run: async ({ sql, values }) => {
        await sql("SET @twice = @n * 2; SELECT @n AS n; SELECT N'two' AS word");
        return Number(values.n) + 1;
      },
    });
    const batch = "DECLARE @r int, @t int; EXEC @r = dbo.Twice @n = 21, @twice = @t OUTPUT; SELECT @r, @t";
    const { stdout, stderr } = await client.tsql(LOGIN, batch);
    assert.deepEqual([rowsOf(stdout), stderr], [[["21"], ["two"], ["22", "42"]], ""]);
    const refused = await client.tsql(
      { ...LOGIN, user: READER.name, password: READER.password },
      "EXEC dbo.Twice @n = 1",
    );
    assert.match(refused.stderr, /^Msg 229 /);
  });
  await check("constraints, truncation and overflow have SQL Server's numbers", async () => {
    await server.sql(
      "CREATE TABLE dbo.Refs (Id int NOT NULL REFERENCES dbo.Changed (Id), S nvarchar(2) NULL, T int NULL)",
    );
    const cases: readonly (readonly [batch: string, number: number])[] = [
      ["INSERT INTO dbo.Changed VALUES (1, NULL)", 2627],
      ["INSERT INTO dbo.Changed VALUES (NULL, NULL)", 515],
      ["INSERT INTO dbo.Refs (Id) VALUES (99)", 547],
      ["INSERT INTO dbo.Refs (Id, S) VALUES (1, N'abc')", 2628],
      ["INSERT INTO dbo.Refs (Id, T) VALUES (1, 3000000000)", 8115],
    ];
    for (const [batch, number] of cases) {
      assert.match((await client.tsql(LOGIN, batch)).stderr, new RegExp(`^Msg ${number} `), batch);
    }
  });
}
