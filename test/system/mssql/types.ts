/** Every type: its extremes, NULL and what is empty, as it arrives in Arrow and is read from there. */
import assert from "node:assert/strict";
import type { JsonValue } from "@sallyport/shared/rows/to-json.ts";
import { type Case, read, refused, table } from "./case.ts";

type Values = readonly (readonly [literal: string, arrives: JsonValue])[];

const NINES = "9".repeat(38);

/** The literal of each value, and the value as text or number that it must arrive as. */
const TYPES: Readonly<Record<string, Values>> = {
  bit: [
    ["0", false],
    ["1", true],
  ],
  tinyint: [
    ["0", 0],
    ["255", 255],
  ],
  smallint: [
    ["-32768", -32768],
    ["32767", 32767],
  ],
  int: [
    ["-2147483648", -2147483648],
    ["2147483647", 2147483647],
  ],
  bigint: [
    ["-9223372036854775808", "-9223372036854775808"],
    ["9007199254740993", "9007199254740993"],
    ["9223372036854775807", "9223372036854775807"],
  ],
  "decimal(38,0)": [
    [NINES, NINES],
    [`-${NINES}`, `-${NINES}`],
  ],
  "decimal(38,10)": [["1234567890123456789012345678.0123456789", "1234567890123456789012345678.0123456789"]],
  "numeric(5,5)": [
    ["0.00001", "0.00001"],
    ["-0.99999", "-0.99999"],
  ],
  money: [
    ["922337203685477.5807", "922337203685477.5807"],
    ["-922337203685477.5808", "-922337203685477.5808"],
  ],
  smallmoney: [["214748.3647", "214748.3647"]],
  real: [["-1.5", -1.5]],
  float: [["0.30000000000000004", 0.30000000000000004]],
  date: [
    ["'0001-01-01'", "0001-01-01"],
    ["'9999-12-31'", "9999-12-31"],
  ],
  "time(7)": [["'23:59:59.9999999'", "23:59:59.9999999"]],
  datetime: [["'9999-12-31T23:59:59.997'", "9999-12-31T23:59:59.997"]],
  smalldatetime: [["'2079-06-06T23:59:00'", "2079-06-06T23:59:00.000"]],
  "datetime2(0)": [["'0001-01-01T00:00:00'", "0001-01-01T00:00:00.000000"]],
  "datetime2(7)": [["'2026-11-20T10:00:00.0000001'", "2026-11-20T10:00:00.0000001"]],
  "datetimeoffset(7)": [["'2026-11-20T10:00:00.0000001+05:30'", "2026-11-20T10:00:00.0000001+05:30"]],
  uniqueidentifier: [["'00112233-4455-6677-8899-AABBCCDDEEFF'", "00112233-4455-6677-8899-aabbccddeeff"]],
  "char(3)": [["'a'", "a  "]],
  "varchar(10)": [
    ["''", ""],
    ["'é'", "é"],
  ],
  "nchar(2)": [["N'a'", "a "]],
  "nvarchar(10)": [["N'漢字 😀'", "漢字 😀"]],
  "nvarchar(max)": [["REPLICATE(CAST(N'x' AS nvarchar(max)), 20000)", "x".repeat(20_000)]],
  "varchar(max)": [["''", ""]],
  text: [["'text'", "text"]],
  ntext: [["N'漢'", "漢"]],
  xml: [["N'<a>é</a>'", "<a>é</a>"]],
  "binary(3)": [["0x01", base64("010000")]],
  "varbinary(10)": [
    ["0x", ""],
    ["0xFF00", base64("ff00")],
  ],
  "varbinary(max)": [["0x00FF", base64("00ff")]],
  image: [["0xAB", base64("ab")]],
};

function base64(hex: string): string {
  return Buffer.from(hex, "hex").toString("base64");
}

const typeCase = (type: string, values: Values): Case => ({
  of: type,
  name: `${values.length + 1} values, NULL among them`,
  async run(server) {
    const { name, sql } = await table(server, `K int NOT NULL PRIMARY KEY, V ${type} NULL`);
    for (const [at, [literal]] of values.entries()) {
      await server.run(`INSERT INTO ${sql} VALUES (${at}, CAST(${literal} AS ${type}))`);
    }
    await server.run(`INSERT INTO ${sql} VALUES (${values.length}, NULL)`);
    const { rows, columns } = await read(server, { op: "sql.table", table: name, columns: ["V"], watermark: "none" });
    assert.deepEqual(rows, [...values.map(([, arrives]) => [arrives]), [null]]);
    assert.equal(columns[0]?.source, type);
  },
});

export const types: readonly Case[] = [
  ...Object.entries(TYPES).map(([type, values]) => typeCase(type, values)),
  {
    of: "rowversion",
    name: "8 bytes, as the server compares them",
    async run(server) {
      const { name, sql } = await table(server, "K int NOT NULL PRIMARY KEY, V rowversion NOT NULL");
      await server.run(`INSERT INTO ${sql} (K) VALUES (1)`);
      const [row] = await server.run(`SELECT CAST(V AS binary(8)) AS v FROM ${sql}`);
      const { rows } = await read(server, { op: "sql.table", table: name, columns: ["V"], watermark: "none" });
      assert.deepEqual(rows, [[Buffer.from(row?.v as Uint8Array).toString("base64")]]);
    },
  },
  {
    of: "datetime2(7)",
    name: "beyond nanoseconds it is value.not_exact",
    async run(server) {
      const { name, sql } = await table(server, "K int NOT NULL PRIMARY KEY, V datetime2(7) NOT NULL");
      await server.run(`INSERT INTO ${sql} VALUES (1, '9999-12-31T23:59:59.9999999')`);
      await refused("value.not_exact", read(server, { op: "sql.table", table: name, columns: "*", watermark: "none" }));
    },
  },
];
