import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Connection, TYPES } from "tedious";
import { ask, connect, startServer } from "./clients.ts";

let tds: Awaited<ReturnType<typeof startServer>>;
let connection: Connection;
before(async () => {
  tds = await startServer();
  connection = await connect(tds);
});
after(async () => {
  connection.close();
  await tds.close();
});

/** Type, T-SQL of the value, and what tedious gives. */
const CASES: readonly (readonly [string, string, unknown])[] = [
  ["bit", "1", true],
  ["tinyint", "255", 255],
  ["smallint", "-32768", -32768],
  ["int", "-2147483648", -2147483648],
  ["bigint", "9223372036854775807", "9223372036854775807"],
  ["bigint", "-9223372036854775808", "-9223372036854775808"],
  ["bigint", "-1", "-1"],
  ["real", "3.5e0", 3.5],
  ["float", "-1.7976931348623157e308", -1.7976931348623157e308],
  ["float", "4.9406564584124654E-324", 5e-324],
  ["money", "-92233720368547.75", -92233720368547.75],
  ["smallmoney", "-214748.3648", -214748.3648],
  ["date", "'0001-01-01'", new Date("0001-01-01T00:00:00Z")],
  ["date", "'9999-12-31'", new Date("9999-12-31T00:00:00Z")],
  ["datetime", "'1753-01-01T00:00:00.003'", new Date("1753-01-01T00:00:00.003Z")],
  ["datetime", "'9999-12-31T23:59:59.997'", new Date("9999-12-31T23:59:59.997Z")],
  ["smalldatetime", "'2079-06-06T23:59:00'", new Date("2079-06-06T23:59:00Z")],
  ["varchar(20)", "N'€ Zürich ž'", "€ Zürich ž"],
  ["varchar(20)", "N'日本'", "??"],
  ["varchar(20) COLLATE Latin1_General_100_CI_AS_SC_UTF8", "N'日本 😀'", "日本 😀"],
  ["char(5)", "'ab'", "ab   "],
  ["nchar(5)", "N'äb'", "äb   "],
  ["nvarchar(30)", "N'日本 😀 it''s'", "日本 😀 it's"],
  ["nvarchar(max)", "REPLICATE(CAST(N'x' AS nvarchar(max)), 100000)", "x".repeat(100_000)],
  ["varchar(max)", "REPLICATE(CAST('y' AS varchar(max)), 100000)", "y".repeat(100_000)],
  ["text", "'long ago'", "long ago"],
  ["ntext", "N'längst'", "längst"],
  ["xml", "N'<a>ü</a>'", "<a>ü</a>"],
  ["binary(4)", "0x0102", Buffer.from("01020000", "hex")],
  ["varbinary(8)", "0x00ff", Buffer.from("00ff", "hex")],
  ["varbinary(max)", "0x", Buffer.alloc(0)],
  ["image", "0xdeadbeef", Buffer.from("deadbeef", "hex")],
  ["uniqueidentifier", "'6F9619FF-8B86-D011-B42D-00C04FC964FF'", "6F9619FF-8B86-D011-B42D-00C04FC964FF"],
];

for (const [type, text, expected] of CASES) {
  test(`${type} ${text.slice(0, 40)} arrives exactly, and so does its NULL`, async () => {
    await ask(connection, `DROP TABLE IF EXISTS dbo.One; CREATE TABLE dbo.One (N int NOT NULL, V ${type} NULL)`);
    await ask(connection, `INSERT INTO dbo.One (N, V) VALUES (1, ${text}), (2, NULL)`);
    const rows = await ask(connection, "SELECT V, N FROM dbo.One ORDER BY N");
    assert.deepEqual(rows, [
      [expected, 1],
      [null, 2],
    ]);
  });
}

test("decimals keep all 38 digits", async () => {
  await ask(
    connection,
    "CREATE TABLE dbo.Decimals (N int NOT NULL PRIMARY KEY, V decimal(38,10) NULL, W numeric(9,2))",
  );
  const digits = "9999999999999999999999999999.9999999999";
  await ask(
    connection,
    `INSERT INTO dbo.Decimals VALUES (1, ${digits}, -0.01), (2, -${digits}, 1), (3, 0.0000000001, NULL)`,
  );
  const rows = await ask(
    connection,
    "SELECT CAST(V AS varchar(60)), CAST(W AS varchar(20)) FROM dbo.Decimals ORDER BY V",
  );
  assert.deepEqual(rows, [
    [`-${digits}`, "1.00"],
    ["0.0000000001", null],
    [digits, "-0.01"],
  ]);
  const [sum] = await ask(connection, "SELECT CAST(SUM(V) AS varchar(60)) FROM dbo.Decimals");
  assert.deepEqual(sum, ["0.0000000001"]);
});

test("money keeps its extremes", async () => {
  const [row] = await ask(connection, "SELECT CONVERT(varchar(30), CAST('-922337203685477.5808' AS money), 2)");
  assert.deepEqual(row, ["-922337203685477.5808"]);
});

for (const scale of [0, 1, 2, 3, 4, 5, 6, 7]) {
  test(`time, datetime2 and datetimeoffset of scale ${scale} keep what they can hold`, async () => {
    const at = "9999-12-31 23:59:59.9999999".slice(0, scale === 0 ? 19 : 20 + scale);
    const [row] = await ask(
      connection,
      `SELECT CAST('${at}' AS datetime2(${scale})), CAST('${at.slice(11)}' AS time(${scale})),
        CAST(CAST('${at.replace("9999", "9998")} +14:00' AS datetimeoffset(${scale})) AS varchar(40)),
        CAST('0001-01-01' AS datetime2(${scale})), CAST('9998-12-31 23:59:59 -14:00' AS datetimeoffset(${scale}))`,
    );
    const [at2, time, offset, first, west] = row as [Date, Date, string, Date, Date];
    const fraction = Number(`0.${"9".repeat(scale)}0`);
    const exact = (date: Date): number =>
      (date.getTime() % 1000) / 1000 + ((date as Date & { nanosecondsDelta: number }).nanosecondsDelta ?? 0);
    assert.equal(exact(at2).toFixed(7), fraction.toFixed(7));
    assert.equal(exact(time).toFixed(7), fraction.toFixed(7));
    assert.equal(offset, `${at.replace("9999", "9998")} +14:00`);
    assert.equal(first.toISOString(), "0001-01-01T00:00:00.000Z");
    assert.equal(west.toISOString(), "9999-01-01T13:59:59.000Z");
  });
}

test("parameters of every type come back as they went", async () => {
  const guid = "0E984725-C51C-4BF4-9960-E1C80E27ABA0";
  const at = new Date("2024-02-29T12:34:56.789Z");
  const values = [
    ["a", TYPES.Bit, true],
    ["b", TYPES.TinyInt, 200],
    ["c", TYPES.SmallInt, -5],
    ["d", TYPES.Int, 2147483647],
    ["e", TYPES.BigInt, "9223372036854775807"],
    ["f", TYPES.Float, 0.1],
    ["g", TYPES.Real, 0.5],
    ["h", TYPES.Decimal, -12.34, { precision: 10, scale: 2 }],
    ["i", TYPES.Money, 12.34],
    ["j", TYPES.NVarChar, "日本"],
    ["k", TYPES.VarChar, "Zürich"],
    ["l", TYPES.NVarChar, "z".repeat(9000), { length: Number.POSITIVE_INFINITY }],
    ["m", TYPES.VarBinary, Buffer.from("00ff", "hex")],
    ["n", TYPES.UniqueIdentifier, guid],
    ["o", TYPES.DateTime2, at, { scale: 7 }],
    ["p", TYPES.DateTimeOffset, at, { scale: 3 }],
    ["q", TYPES.DateTime, new Date("2024-02-29T12:34:56.790Z")],
    ["r", TYPES.SmallDateTime, new Date("2024-02-29T12:34:00Z")],
    ["s", TYPES.Date, new Date("2024-02-29T00:00:00Z")],
    ["t", TYPES.Int, null],
    ["u", TYPES.NVarChar, null],
    ["v", TYPES.Time, new Date("1970-01-01T12:34:56.789Z"), { scale: 7 }],
  ] as const;
  const [row] = await ask(connection, `SELECT ${values.map(([name]) => `@${name}`).join(", ")}`, values);
  // tedious adds nanosecondsDelta to some dates; the instant is what counts here.
  const plain = (value: unknown): unknown => (value instanceof Date ? value.toISOString() : value);
  assert.deepEqual(
    row?.map(plain),
    values.map(([, , value]) => plain(value)),
  );
});

test("uniqueidentifiers are ordered by their last group first, as SQL Server does", async () => {
  const rows = await ask(
    connection,
    `SELECT v.g FROM (VALUES (CAST('FFFFFFFF-0000-0000-0000-000000000001' AS uniqueidentifier)),
      (CAST('00000000-0000-0000-0000-000000000002' AS uniqueidentifier)),
      (CAST('00000000-0000-0000-0001-000000000000' AS uniqueidentifier))) AS v(g) ORDER BY v.g DESC`,
  );
  assert.deepEqual(rows.flat(), [
    "00000000-0000-0000-0000-000000000002",
    "FFFFFFFF-0000-0000-0000-000000000001",
    "00000000-0000-0000-0001-000000000000",
  ]);
});
