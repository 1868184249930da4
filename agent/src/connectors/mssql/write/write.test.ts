/** Writing into an emulated SQL Server: every type exactly, every action, the row that is refused, keys, cancels. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { SqlWrite, WriteAction } from "@sallyport/shared/schema/write-operations.ts";
import { startTestServer, type TestServer } from "../test-server.ts";
import { change, column, inputOf, int, textInput, utf8, type Written, writeGrant } from "./test-input.ts";

let server: TestServer;
before(async () => {
  server = await startTestServer();
  await server.admin(`CREATE TABLE dbo.Requests (RequestKey nvarchar(128) NOT NULL PRIMARY KEY, Request char(64) NOT NULL,
    At datetime2(3) NOT NULL DEFAULT SYSUTCDATETIME(), Answer nvarchar(max) NULL)`);
});
after(() => server.close());

const operation = (table: string, action: WriteAction, columns: readonly string[], key?: string): SqlWrite => ({
  op: "sql.write",
  table,
  action,
  columns: [...columns],
  ...(key === undefined ? {} : { idempotencyKey: key }),
});

/** Writes rows of text columns. */
const texts = (
  table: string,
  action: WriteAction,
  key: readonly string[],
  columns: readonly string[],
  rows: readonly (readonly (string | null)[])[],
): Promise<Written> =>
  change(
    server,
    operation(table, action, columns),
    writeGrant(action === "insert" ? [] : key),
    textInput(columns, rows),
  );

const refusal =
  (code: string, detail: Record<string, unknown> = {}) =>
  (error: unknown) => {
    assert.ok(error instanceof SallyportError, String(error));
    assert.equal(error.code, code, error.message);
    for (const [name, value] of Object.entries(detail)) assert.equal(error.detail[name], value, error.message);
    return true;
  };
const rowsOf = async (sql: string): Promise<unknown[]> =>
  (await server.server.sql(sql)).rows.map((row) => ({ ...row }));
const count = async (table: string): Promise<unknown> => (await rowsOf(`SELECT COUNT(*) AS n FROM ${table}`))[0];

test("nothing is written into a memory-optimized table, whose rows take no locks", async () => {
  await server.admin("CREATE TABLE dbo.Memory (Id int NOT NULL PRIMARY KEY)");
  await server.admin("UPDATE sys.tables SET is_memory_optimized = 1 WHERE name = 'Memory'");
  await assert.rejects(texts("dbo.Memory", "insert", [], ["Id"], [["1"]]), refusal("request.invalid"));
});

/** Type, a value as text, and how the server prints it. Extremes first. */
const VALUES: readonly (readonly [declared: string, given: string, shown: unknown])[] = [
  ["bigint", "-9223372036854775808", -9223372036854775808n],
  ["bigint", "9223372036854775807", 9223372036854775807n],
  ["int", "-2147483648", -2147483648],
  ["smallint", "32767", 32767],
  ["tinyint", "255", 255],
  ["bit", "true", 1],
  ["decimal(38, 10)", "-9999999999999999999999999999.9999999999", "-9999999999999999999999999999.9999999999"],
  ["decimal(18, 4)", "99999999999999.9999", "99999999999999.9999"],
  ["decimal(9, 2)", "1", "1.00"],
  ["numeric(5, 0)", "-0", "0"],
  ["money", "922337203685477.5807", 9223372036854775807n],
  ["smallmoney", "-214748.3648", -2147483648],
  ["float", "1.7976931348623157e308", 1.7976931348623157e308],
  ["real", "0.5", 0.5],
  ["date", "9999-12-31", "9999-12-31"],
  ["date", "0001-01-01", "0001-01-01"],
  ["time(7)", "23:59:59.9999999", "23:59:59.9999999"],
  ["time(0)", "01:02:03", "01:02:03"],
  ["datetime2(7)", "9999-12-31T23:59:59.9999999", "9999-12-31 23:59:59.9999999"],
  ["datetime2(3)", "0001-01-01T00:00:00.001", "0001-01-01 00:00:00.001"],
  ["datetime", "1753-01-01T00:00:00.003", "1753-01-01 00:00:00.003"],
  ["smalldatetime", "2079-06-06T23:59:00", "2079-06-06 23:59:00.000"],
  ["datetimeoffset(7)", "2024-02-29T23:59:59.1234567+05:30", "2024-02-29 23:59:59.1234567 +05:30"],
  ["uniqueidentifier", "00112233-4455-6677-8899-aabbccddeeff", "00112233-4455-6677-8899-AABBCCDDEEFF"],
  ["nvarchar(5)", "é𝄞ab", "é𝄞ab"],
  ["nvarchar(max)", "ü".repeat(9000), "ü".repeat(9000)],
  ["nvarchar(max)", "", ""],
  ["varchar(10)", "Zürich ÿ", "Zürich ÿ"],
  ["char(4)", "abcd", "abcd"],
  ["xml", "<a>é</a>", "<a>é</a>"],
];

test("every type takes its extremes from text, and they are there to the last digit", async () => {
  const names = VALUES.map((_, at) => `V${at}`);
  await server.admin(`CREATE TABLE dbo.Every (${VALUES.map(([type], at) => `V${at} ${type} NULL`).join(", ")})`);
  const nulls = names.map(() => null);
  await texts("dbo.Every", "insert", [], names, [VALUES.map(([, given]) => given), nulls]);
  const [first, second] = (await rowsOf("SELECT * FROM dbo.Every")) as Record<string, unknown>[];
  VALUES.forEach(([type, , shown], at) => {
    const got = typeof first![`V${at}`] === "string" ? String(first![`V${at}`]).replace("T", " ") : first![`V${at}`];
    assert.deepEqual(got, shown, type);
  });
  assert.deepEqual(Object.values(second!), nulls);
});

test("columns of Arrow's own types arrive as they are", async () => {
  await server.admin(`CREATE TABLE dbo.Typed (Id bigint NOT NULL, Amount decimal(38, 4) NULL, At datetime2(7) NULL,
    Zoned datetimeoffset(7) NULL, Day date NULL, Clock time(7) NULL, Blob varbinary(max) NULL, Flag bit NULL, Rate float NULL,
    Code uniqueidentifier NULL, Small smallint NULL)`);
  const columns = [
    column("Id", { kind: "int", bits: 64, signed: true }),
    column("Amount", { kind: "decimal", precision: 38, scale: 4 }),
    column("At", { kind: "timestamp", unit: "ns" }),
    column("Zoned", { kind: "timestampOffset", unit: "ns" }),
    column("Day", { kind: "date" }),
    column("Clock", { kind: "time" }),
    column("Blob", { kind: "binary" }),
    column("Flag", { kind: "bool" }),
    column("Rate", { kind: "float", bits: 64 }),
    column("Code", { kind: "fixedBinary", bytes: 16, uuid: true }),
    column("Small", int),
  ];
  const uuid = Buffer.from("00112233445566778899aabbccddeeff", "hex");
  const input = inputOf(columns, 2, ({ columns: into }, row) => {
    into[0]!.appendInt64(0xffffffff, row === 0 ? -1 : 0x7fffffff);
    if (row === 1) {
      for (const each of into.slice(1)) each.appendNull();
      return;
    }
    into[1]!.appendDecimal(true, 0xffffffff, 0xffffffff, 0, 0);
    into[2]!.appendTimestamp(-1, 863_999_999_999);
    into[3]!.appendTimestampOffset(19_000, 1, -720);
    into[4]!.appendDate(-719_162);
    into[5]!.appendTime(1);
    into[6]!.appendBytes(Buffer.alloc(70_000, 7), 0, 70_000);
    into[7]!.appendBool(true);
    into[8]!.appendFloat(-0.1);
    into[9]!.appendBytes(uuid, 0, 16);
    into[10]!.appendInt(-32_768);
  });
  const names = columns.map(({ name }) => name);
  await change(server, operation("dbo.Typed", "insert", names), writeGrant([]), input);
  const [first, second] = (await rowsOf("SELECT * FROM dbo.Typed ORDER BY Small DESC")).reverse() as Record<
    string,
    unknown
  >[];
  const [row, nulls] = first!.Amount === null ? [second!, first!] : [first!, second!];
  assert.deepEqual([row.Id, nulls.Id], [-1n, 9223372036854775807n]);
  assert.equal(row.Amount, "-1844674407370955.1615");
  assert.match(String(row.At), /^1969-12-31.23:59:59\.9999999$/);
  assert.match(String(row.Zoned), /^2022-01-0[78].12:00:00\.0000001 -12:00$/);
  assert.deepEqual([row.Day, String(row.Clock)], ["0001-01-01", "00:00:00.0000001"]);
  assert.deepEqual([(row.Blob as Uint8Array).length, row.Flag, row.Rate, row.Small], [70_000, 1, -0.1, -32_768]);
  assert.equal(String(row.Code).toLowerCase(), "00112233-4455-6677-8899-aabbccddeeff");
});

/** What a column cannot hold as it is: refused with its row, never rounded, cut or replaced. */
const UNFIT: readonly (readonly [declared: string, given: string])[] = [
  ["int", "2147483648"],
  ["tinyint", "-1"],
  ["decimal(9, 2)", "1.005"],
  ["decimal(9, 2)", "12345678.00"],
  ["money", "0.00001"],
  ["smallmoney", "214748.3648"],
  ["float", "1e999"],
  ["date", "2023-02-29"],
  ["date", "2023-02-28T00:00:00"],
  ["time(3)", "00:00:00.0001"],
  ["datetime2(0)", "2024-01-01T00:00:00.5"],
  ["datetime", "2024-01-01T00:00:00.001"],
  ["datetime", "1752-12-31T00:00:00"],
  ["smalldatetime", "2024-01-01T00:00:01"],
  ["datetimeoffset(7)", "2024-01-01T00:00:00"],
  ["datetime2(7)", "2024-01-01T00:00:00Z"],
  ["uniqueidentifier", "not-a-uuid"],
  ["bit", "2"],
  ["nvarchar(3)", "abcd"],
  ["varchar(3)", "abcd"],
  ["varchar(10)", "\u0416"],
  ["varchar(10)", "\u0101"],
];

test("what does not fit is refused with row and column, and its value is not told", async () => {
  for (const [declared, given] of UNFIT) {
    await server.admin(`CREATE TABLE dbo.Unfit (Id int NOT NULL, V ${declared} NULL)`);
    const rows = Array.from({ length: 12 }, (_, id) => [String(id), id === 7 ? given : null]);
    await assert.rejects(texts("dbo.Unfit", "insert", [], ["Id", "V"], rows), (error) => {
      assert.ok(error instanceof SallyportError && !error.message.includes(given), declared);
      return refusal("value.not_exact", { row: 7, column: "V" })(error);
    });
    assert.deepEqual(await count("dbo.Unfit"), { n: 0 }, declared);
    await server.admin("DROP TABLE dbo.Unfit");
  }
});

test("update, upsert, delete and replace do what they say, and count it", async () => {
  await server.admin(
    "CREATE TABLE dbo.Keyed (A int NOT NULL, B varchar(10) NOT NULL, V nvarchar(10) NULL, PRIMARY KEY (A, B))",
  );
  await server.admin("INSERT INTO dbo.Keyed VALUES (1, 'x', N'one'), (2, 'x', N'two'), (3, 'y', N'three')");
  const [key, all] = [
    ["A", "B"],
    ["A", "B", "V"],
  ];
  const state = async () =>
    (await rowsOf("SELECT * FROM dbo.Keyed ORDER BY A")).map((row) => Object.values(row as object).join());
  const updated = await texts("dbo.Keyed", "update", key, all, [
    ["1", "x", "ONE"],
    ["9", "x", "nobody"],
  ]);
  assert.deepEqual([updated.result.updated, updated.result.rows], [1, 2]);
  const upserted = await texts("dbo.Keyed", "upsert", key, all, [
    ["2", "x", null],
    ["4", "x", "four"],
  ]);
  assert.deepEqual([upserted.result.updated, upserted.result.inserted], [1, 1]);
  assert.deepEqual(await state(), ["1,x,ONE", "2,x,", "3,y,three", "4,x,four"]);
  const deleted = await texts("dbo.Keyed", "delete", key, key, [
    ["3", "y"],
    ["3", "x"],
  ]);
  assert.equal(deleted.result.deleted, 1);
  const replaced = await texts("dbo.Keyed", "replace", key, all, [
    ["1", "x", "I"],
    ["5", "z", "V"],
  ]);
  assert.deepEqual([replaced.result.deleted, replaced.result.updated, replaced.result.inserted], [2, 1, 1]);
  assert.deepEqual(await state(), ["1,x,I", "5,z,V"]);
  await assert.rejects(
    texts("dbo.Keyed", "upsert", key, all, [
      ["7", "a", ""],
      ["8", "a", ""],
      ["7", "a", ""],
    ]),
    refusal("request.invalid", { row: 2 }),
  );
  await assert.rejects(
    texts("dbo.Keyed", "update", key, all, [["1", null, ""]]),
    refusal("value.not_exact", { row: 0 }),
  );
});

test("the row that a constraint refuses is found among many, for every kind of constraint", async () => {
  await server.admin("CREATE TABLE dbo.Parents (Id int NOT NULL PRIMARY KEY)");
  await server.admin("INSERT INTO dbo.Parents VALUES (1), (2)");
  await server.admin(
    "CREATE TABLE dbo.Children (Id int NOT NULL PRIMARY KEY, Parent int NOT NULL REFERENCES dbo.Parents (Id))",
  );
  await server.admin("INSERT INTO dbo.Children VALUES (77, 1)");
  const rows = (at: number, id: string, parent: string) =>
    Array.from({ length: 100 }, (_, row) => (row === at ? [id, parent] : [String(1000 + row), "1"]));
  const columns = ["Id", "Parent"];
  const insert = (at: number, id: string, parent: string) =>
    texts("dbo.Children", "insert", [], columns, rows(at, id, parent));
  await assert.rejects(insert(63, "77", "1"), refusal("sql.constraint", { row: 63, number: 2627 }));
  await assert.rejects(insert(0, "5", "9"), refusal("sql.constraint", { row: 0, number: 547 }));
  await assert.rejects(insert(99, "1010", "1"), refusal("sql.constraint", { row: 99, number: 2627 }));
  await assert.rejects(
    texts("dbo.Children", "upsert", ["Id"], columns, rows(40, "77", "8")),
    refusal("sql.constraint", { row: 40, number: 547 }),
  );
  assert.deepEqual(await count("dbo.Children"), { n: 1 });
});

test("columns that the server fills, and those it has not, are refused before a row is taken", async () => {
  await server.admin("CREATE TABLE dbo.Filled (Id int NOT NULL IDENTITY PRIMARY KEY, V int NULL, R rowversion)");
  await server.admin("INSERT INTO dbo.Filled (V) VALUES (1)");
  await assert.rejects(texts("dbo.Filled", "insert", [], ["Id"], []), refusal("request.invalid", { column: "Id" }));
  await assert.rejects(texts("dbo.Filled", "insert", [], ["R"], []), refusal("request.invalid", { column: "R" }));
  await assert.rejects(texts("dbo.Filled", "insert", [], ["No"], []), refusal("sql.not_found", { column: "No" }));
  const updated = await texts("dbo.Filled", "update", ["Id"], ["Id", "V"], [["1", "5"]]);
  assert.equal(updated.result.updated, 1);
});

test("a key is taken with its write or not at all, and stands for one request only", async () => {
  await server.admin("CREATE TABLE dbo.Once (Id int NOT NULL PRIMARY KEY)");
  const write = (key: string, ids: readonly string[]) =>
    change(
      server,
      operation("dbo.Once", "insert", ["Id"], key),
      writeGrant([], "dbo.Requests"),
      textInput(
        ["Id"],
        ids.map((id) => [id]),
      ),
    );
  await assert.rejects(write("k1", ["1", "1"]), refusal("sql.constraint", { row: 1 }));
  const first = await write("k1", ["1", "2"]);
  const again = await write("k1", ["3"]);
  assert.deepEqual([first.result.repeated, again.result.repeated, again.result.inserted], [false, true, 2]);
  const twins = await Promise.allSettled([write("k2", ["10"]), write("k2", ["11"])]);
  const told = twins.map((twin) => (twin.status === "fulfilled" ? twin.value.result.repeated : String(twin.reason)));
  assert.deepEqual(told.sort(), [false, true]);
  assert.deepEqual(await count("dbo.Once"), { n: 3 });
});

test("a key that the table's collation takes for another's is refused, and never answered with the other's word", async () => {
  await server.admin("CREATE TABLE dbo.Cased (Id int NOT NULL PRIMARY KEY)");
  await server.admin(`CREATE TABLE dbo.Folded (RequestKey nvarchar(128) COLLATE Latin1_General_CI_AS NOT NULL PRIMARY KEY,
    Request char(64) NOT NULL, Answer nvarchar(max) NULL)`);
  await server.admin(`CREATE TABLE dbo.Exact (RequestKey nvarchar(128) COLLATE Latin1_General_BIN2 NOT NULL PRIMARY KEY,
    Request char(64) NOT NULL, Answer nvarchar(max) NULL)`);
  const write = (requests: string, key: string, id: string) =>
    change(server, operation("dbo.Cased", "insert", ["Id"], key), writeGrant([], requests), textInput(["Id"], [[id]]));
  await write("dbo.Folded", "aB1", "1");
  await assert.rejects(write("dbo.Folded", "Ab1", "2"), refusal("request.invalid"));
  assert.deepEqual(await count("dbo.Cased"), { n: 1 });
  await write("dbo.Exact", "aB1", "3");
  assert.equal((await write("dbo.Exact", "Ab1", "4")).result.repeated, false);
  assert.deepEqual(await count("dbo.Cased"), { n: 3 });
});

test("nothing is written before the end of the rows, and a cancel until then leaves nothing", async () => {
  await server.admin("CREATE TABLE dbo.Late (Id int NOT NULL, N nvarchar(10) NULL)");
  const controller = new AbortController();
  const input = inputOf(
    [column("Id", int), column("N", utf8)],
    5000,
    ({ columns }, row) => {
      columns[0]!.appendInt(row);
      columns[1]!.appendString("n");
    },
    {
      before: async (batch) => {
        assert.deepEqual(await count("dbo.Late"), { n: 0 });
        if (batch === 3) controller.abort(new SallyportError("request.cancelled", "enough"));
      },
    },
  );
  await assert.rejects(
    change(server, operation("dbo.Late", "insert", ["Id", "N"]), writeGrant([]), input, controller.signal),
    refusal("request.cancelled"),
  );
  assert.deepEqual(await count("dbo.Late"), { n: 0 });
});

test("a connection that is cut before COMMIT wrote nothing, and says that it may be tried again", async () => {
  await server.admin("CREATE TABLE dbo.Cut (Id int NOT NULL)");
  const write = () => texts("dbo.Cut", "insert", [], ["Id"], [["1"]]);
  server.server.faults.add({ kind: "reset", afterRows: 0 }, { statement: /^INSERT INTO \[dbo\]/, times: 1 });
  await assert.rejects(write(), refusal("connection.lost"));
  assert.deepEqual(await count("dbo.Cut"), { n: 0 });
});
