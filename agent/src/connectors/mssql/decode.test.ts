/**
 * Golden bytes: what SQL Server sends for a value, through the driver's own token parser and our hook, into columns.
 * When a new version of the driver reads values another way, these fail.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { createBatch } from "@sallyport/shared/rows/columns.ts";
import { sqlServerType, sqlServerTypeText } from "@sallyport/shared/rows/types.ts";
import streamParser from "tedious/lib/token/stream-parser.js";
import { appenderFor } from "./decode.ts";
import { attachSink, installHook } from "./hook.ts";
import { createSink } from "./sink.ts";
import { declarationOf, type WireColumn } from "./wire.ts";

installHook();

// The module is the class itself; its declarations say that it has a `default`.
const StreamParser = streamParser as unknown as typeof streamParser.default;

/** TYPE_INFO as hex, with the user type where it matters. */
interface Typed {
  readonly info: string;
  readonly userType?: number;
}
const LATIN1 = "0904d00034"; // SQL_Latin1_General_CP1_CI_AS
const CYRILLIC = "1904d00000"; // Cyrillic_General_CI_AS
const JAPANESE = "1104d00000"; // Japanese_CI_AS
const UTF8 = "0904d00400"; // Latin1_General_100_CI_AS_SC_UTF8: the flag 0x4000000
const NAME = Buffer.from("x\0", "latin1");

function metadata({ info, userType = 0 }: Typed): Buffer {
  const head = Buffer.alloc(9);
  head[0] = 0x81;
  head.writeUInt16LE(1, 1);
  head.writeUInt32LE(userType, 3);
  head.writeUInt16LE(1, 7);
  return Buffer.concat([head, Buffer.from(info, "hex"), Buffer.from([1]), NAME]);
}

const utf16 = (text: string): string => Buffer.from(text, "utf16le").toString("hex");
const short = (hex: string): string => {
  const length = Buffer.alloc(2);
  length.writeUInt16LE(hex.length / 2);
  return length.toString("hex") + hex;
};
const uint32 = (value: number): string => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes.toString("hex");
};
const pieces = (...parts: readonly string[]): string =>
  `feffffffffffffff${parts.map((part) => uint32(part.length / 2) + part).join("")}00000000`;
const NULL_PIECES = "ffffffffffffffff";

/** Reads one value. @throws what the sink refused. */
function read(type: Typed, value: string, token = "d1", chunkBytes = 1e9, cellBytes = 1e6): unknown {
  const bytes = Buffer.concat([metadata(type), Buffer.from(token + value, "hex")]);
  const parser = new StreamParser({ tdsVersion: "7_4" } as never);
  let failure: unknown;
  let batch: ReturnType<typeof createBatch> | undefined;
  let sink: ReturnType<typeof createSink> | undefined;
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    parser.write(bytes.subarray(at, at + chunkBytes));
    for (let token = parser.read(); token !== undefined; token = parser.read()) {
      const { columns } = token as unknown as { columns: (WireColumn & { value?: unknown })[] };
      if (sink === undefined || batch === undefined) {
        const wire = columns[0]!;
        const declared = declarationOf(wire);
        const column = sqlServerType(declared);
        assert.ok(column !== undefined, `no column type for ${declared.name}`);
        batch = createBatch([{ name: "x", type: column, nullable: true, source: sqlServerTypeText(declared) }], {
          cellBytes,
          rowBytes: 1e7,
        });
        const guard = {
          failed: false,
          fail: (error: unknown) => {
            guard.failed = true;
            failure ??= error;
          },
        };
        const append = appenderFor(wire, batch.columns[0]!);
        assert.ok(append !== undefined);
        sink = createSink(wire, batch.columns[0], append, { guard, remember: true, cellBytes });
        attachSink(wire, sink);
      } else {
        if (columns[0]?.value === null) sink.readNull();
        if (failure !== undefined) throw failure;
        batch.rowDone();
      }
    }
  }
  parser.end();
  return batch?.takeLastKey(["x"])[0];
}

const decimal = (precision: number, scale: number, length: number): Typed => ({
  info: `6a${Buffer.from([length, precision, scale]).toString("hex")}`,
});
const NVARCHAR = { info: `e7c800${LATIN1}` };
const VARCHAR = { info: `a76400${LATIN1}` };

/** Type, bytes after the ROW token, and the exact value as text. */
const GOLDEN: readonly (readonly [what: string, type: Typed, bytes: string, value: string | boolean | null])[] = [
  ["bit 0", { info: "6801" }, "0100", false],
  ["bit 1", { info: "6801" }, "0101", true],
  ["bit NULL", { info: "6801" }, "00", null],
  ["bit NOT NULL", { info: "32" }, "01", true],
  ["tinyint 0", { info: "2601" }, "0100", "0"],
  ["tinyint 255", { info: "2601" }, "01ff", "255"],
  ["tinyint NOT NULL", { info: "30" }, "80", "128"],
  ["smallint -32768", { info: "2602" }, "020080", "-32768"],
  ["smallint 32767", { info: "34" }, "ff7f", "32767"],
  ["int -2147483648", { info: "2604" }, "0400000080", "-2147483648"],
  ["int 2147483647", { info: "38" }, "ffffff7f", "2147483647"],
  ["int NULL", { info: "2604" }, "00", null],
  ["bigint min", { info: "2608" }, "080000000000000080", "-9223372036854775808"],
  ["bigint max", { info: "7f" }, "ffffffffffffff7f", "9223372036854775807"],
  ["bigint 2^53 + 1", { info: "2608" }, "080100000000002000", "9007199254740993"],
  ["real 1/3", { info: "6d04" }, "04abaaaa3e", "0.3333333432674408"],
  ["float 0.1", { info: "6d08" }, "089a9999999999b93f", "0.1"],
  ["float max", { info: "3e" }, "ffffffffffffef7f", "1.7976931348623157e+308"],
  ["float NULL", { info: "6d08" }, "00", null],
  ["money max", { info: "6e08" }, "08ffffff7fffffffff", "922337203685477.5807"],
  ["money min", { info: "6e08" }, "080000008000000000", "-922337203685477.5808"],
  ["money -0.0001", { info: "3c" }, "ffffffffffffffff", "-0.0001"],
  ["smallmoney max", { info: "6e04" }, "04ffffff7f", "214748.3647"],
  ["smallmoney min", { info: "7a" }, "00000080", "-214748.3648"],
  ["decimal(18,4) 99999999999999.9999", decimal(18, 4, 9), "0901ffff63a7b3b6e00d", "99999999999999.9999"],
  ["decimal(9,2) -1.05", decimal(9, 2, 5), "050069000000", "-1.05"],
  ["decimal(28,0) 2^64", decimal(28, 0, 13), "0d01000000000000000001000000", "18446744073709551616"],
  [
    "decimal(38,10), all nines",
    decimal(38, 10, 17),
    "1101ffffffff3f228a097ac4865aa84c3b4b",
    "9999999999999999999999999999.9999999999",
  ],
  [
    "decimal(38,0), all nines, negative",
    decimal(38, 0, 17),
    "1100ffffffff3f228a097ac4865aa84c3b4b",
    "-99999999999999999999999999999999999999",
  ],
  ["decimal NULL", decimal(38, 10, 17), "00", null],
  ["numeric(5,5) 0.00001", { info: "6c050505" }, "050101000000", "0.00001"],
  ["date 0001-01-01", { info: "28" }, "03000000", "0001-01-01"],
  ["date 9999-12-31", { info: "28" }, "03dab937", "9999-12-31"],
  ["date 1970-01-01", { info: "28" }, "033af90a", "1970-01-01"],
  ["date NULL", { info: "28" }, "00", null],
  ["time(0) 23:59:59", { info: "2900" }, "037f5101", "23:59:59.0000000"],
  ["time(7) 23:59:59.9999999", { info: "2907" }, "05ffbf692ac9", "23:59:59.9999999"],
  ["time(3) 00:00:00.001", { info: "2903" }, "0401000000", "00:00:00.0010000"],
  ["datetime 1753", { info: "6f08" }, "08462effff00000000", "1753-01-01T00:00:00.000"],
  ["datetime 9999 .997", { info: "6f08" }, "087f242d00ff818b01", "9999-12-31T23:59:59.997"],
  ["datetime .003", { info: "3d" }, "0000000001000000", "1900-01-01T00:00:00.003"],
  ["datetime .007", { info: "3d" }, "0000000002000000", "1900-01-01T00:00:00.007"],
  ["smalldatetime max", { info: "6f04" }, "04ffff9f05", "2079-06-06T23:59:00.000"],
  ["smalldatetime min", { info: "3a" }, "00000000", "1900-01-01T00:00:00.000"],
  ["datetime2(0) 0001", { info: "2a00" }, "06000000000000", "0001-01-01T00:00:00.000000"],
  ["datetime2(3)", { info: "2a03" }, "07e94e49023af90a", "1970-01-01T10:39:18.761000"],
  ["datetime2(6) 9999", { info: "2a06" }, "08ff5fd71d14dab937", "9999-12-31T23:59:59.999999"],
  ["datetime2(7) 100 ns", { info: "2a07" }, "0801000000003af90a", "1970-01-01T00:00:00.0000001"],
  ["datetime2(7) before 1970", { info: "2a07" }, "08ffbf692ac939f90a", "1969-12-31T23:59:59.9999999"],
  ["datetime2 NULL", { info: "2a07" }, "00", null],
  ["datetimeoffset(7) +05:30", { info: "2b07" }, "0a01000000003af90a4a01", "1970-01-01T05:30:00.0000001+05:30"],
  ["datetimeoffset(0) -14:00", { info: "2b00" }, "080000003af90ab8fc", "1969-12-31T10:00:00.000000-14:00"],
  ["uniqueidentifier", { info: "2410" }, "1033221100554477668899aabbccddeeff", "00112233-4455-6677-8899-aabbccddeeff"],
  ["uniqueidentifier NULL", { info: "2410" }, "00", null],
  ["nvarchar, empty", NVARCHAR, short(""), ""],
  ["nvarchar, outside the BMP", NVARCHAR, short(utf16("Grüße 😀 漢")), "Grüße 😀 漢"],
  ["nvarchar NULL", NVARCHAR, "ffff", null],
  ["nchar keeps its padding", { info: `ef0600${LATIN1}` }, short(utf16("a  ")), "a  "],
  ["varchar, ASCII", VARCHAR, short("616263"), "abc"],
  ["varchar, code page 1252", VARCHAR, short("80e99f"), "€éŸ"],
  ["varchar, code page 1251", { info: `a76400${CYRILLIC}` }, short("cff0e8"), "При"],
  ["varchar, code page 932", { info: `a76400${JAPANESE}` }, short("93fa967b"), "日本"],
  ["varchar, UTF-8", { info: `a76400${UTF8}` }, short(Buffer.from("é😀").toString("hex")), "é😀"],
  ["char NULL", { info: `af0300${LATIN1}` }, "ffff", null],
  ["varbinary", { info: "a50800" }, short("00ff7f"), "AP9_"],
  ["binary(2)", { info: "ad0200" }, short("0001"), "AAE"],
  ["varbinary, empty", { info: "a50800" }, short(""), ""],
  ["rowversion", { info: "ad0800", userType: 80 }, short("00000000000007d1"), "AAAAAAAAB9E"],
  ["nvarchar(max) in pieces", { info: `e7ffff${LATIN1}` }, pieces(utf16("ab"), "e9", "00", utf16("!")), "abé!"],
  ["nvarchar(max), empty", { info: `e7ffff${LATIN1}` }, pieces(), ""],
  ["nvarchar(max) NULL", { info: `e7ffff${LATIN1}` }, NULL_PIECES, null],
  [
    "nvarchar(max), length announced",
    { info: `e7ffff${LATIN1}` },
    `0400000000000000${uint32(4)}${utf16("ab")}00000000`,
    "ab",
  ],
  ["varchar(max), code page 1252", { info: `a7ffff${LATIN1}` }, pieces("80", "e9"), "€é"],
  ["varbinary(max)", { info: "a5ffff" }, pieces("00", "ff"), "AP8"],
  ["xml", { info: "f100" }, pieces(utf16("<a/>")), "<a/>"],
  ["text", { info: `2300000080${LATIN1}0101007400` }, `10${"00".repeat(24)}02000000e961`, "éa"],
  ["ntext", { info: `6300000080${LATIN1}0101007400` }, `10${"00".repeat(24)}04000000${utf16("é漢")}`, "é漢"],
  ["image NULL", { info: "22000000800101007400" }, "00", null],
];

test("golden bytes, whole and one byte at a time", async (t) => {
  for (const [what, type, bytes, value] of GOLDEN) {
    await t.test(what, () => {
      assert.equal(read(type, bytes), value);
      assert.equal(read(type, bytes, "d1", 1), value);
    });
  }
});

test("a NULL of a row with a null bitmap has no bytes", () => {
  assert.equal(read({ info: "2604" }, "01", "d2"), null);
  assert.equal(read({ info: "2604" }, "000407000000", "d2"), "7");
  assert.equal(read({ info: `e7ffff${LATIN1}` }, "01", "d2"), null);
});

/** What is refused, with its code. */
const REFUSED: readonly (readonly [what: string, type: Typed, bytes: string, code: string])[] = [
  ["datetime2(7) in 9999", { info: "2a07" }, "08ffbf692ac9dab937", "value.not_exact"],
  ["datetime2(7) in 1600", { info: "2a07" }, "080000000000f9e908", "value.not_exact"],
  ["datetimeoffset(7) in 9999", { info: "2b07" }, "0affbf692ac9dab9370000", "value.not_exact"],
  ["decimal beyond its precision", decimal(5, 0, 5), "0501a0860100", "value.not_exact"],
  ["nvarchar with a lone surrogate", NVARCHAR, short("00d8"), "value.not_exact"],
  ["varchar, a lead byte alone", { info: `a76400${JAPANESE}` }, short("93"), "value.not_exact"],
  ["varchar, not UTF-8", { info: `a76400${UTF8}` }, short("ff"), "value.not_exact"],
  ["varbinary above the cell's limit", { info: "a50800" }, short("00".repeat(9)), "limit.bytes"],
  ["varbinary(max) above the cell's limit", { info: "a5ffff" }, pieces("00".repeat(9)), "limit.bytes"],
  ["nvarchar(max) far above the limit", { info: `e7ffff${LATIN1}` }, pieces(utf16("x".repeat(17))), "limit.bytes"],
  ["nvarchar(max) above it as UTF-8", { info: `e7ffff${LATIN1}` }, pieces(utf16("漢漢漢")), "limit.bytes"],
];

test("what cannot be carried exactly is refused, and names the column", async (t) => {
  for (const [what, type, bytes, code] of REFUSED) {
    await t.test(what, () => {
      assert.throws(
        () => read(type, bytes, "d1", 1e9, 8),
        (error) => error instanceof SallyportError && error.code === code && error.detail.column === "x",
      );
    });
  }
});

test("a value of another length than announced is no value", () => {
  const bytes = `0500000000000000${uint32(4)}${utf16("ab")}00000000`;
  assert.throws(() => read({ info: `e7ffff${LATIN1}` }, bytes), /another length/);
});

test("types without an exact column type keep their name", () => {
  const parser = new StreamParser({ tdsVersion: "7_4" } as never);
  parser.write(metadata({ info: "6250000000" }));
  const token = parser.read() as unknown as { columns: WireColumn[] };
  assert.equal(declarationOf(token.columns[0]!).name, "sql_variant");
});
