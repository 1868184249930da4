import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SallyportError } from "../protocol/errors.ts";
import { type ColumnBuffer, createBatch } from "./columns.ts";
import type { KeyValue } from "./to-json.ts";
import type { Column, ColumnType } from "./types.ts";

const LIMITS = { cellBytes: 1000, rowBytes: 2000 };
const column = (type: ColumnType, name = "c", nullable = true): Column => ({ name, type, nullable, source: type.kind });
const oneColumn = (type: ColumnType) => {
  const batch = createBatch([column(type)], LIMITS);
  return { batch, buffer: batch.columns[0]! };
};

/** What a single value of a type reads as. */
function roundTrip(type: ColumnType, append: (buffer: ColumnBuffer) => void): KeyValue {
  const { batch, buffer } = oneColumn(type);
  append(buffer);
  batch.rowDone();
  return batch.takeLastKey(["c"])[0]!;
}

const refuses = (code: string, type: ColumnType, append: (buffer: ColumnBuffer) => void): void => {
  const { buffer } = oneColumn(type);
  assert.throws(
    () => append(buffer),
    (error) => error instanceof SallyportError && error.code === code,
  );
};

const int = (bits: 8 | 16 | 32 | 64, signed = true): ColumnType => ({ kind: "int", bits, signed });
const decimal = (precision: number, scale: number): ColumnType => ({ kind: "decimal", precision, scale });
const utf16 = (text: string): Buffer => Buffer.from(text, "utf16le");

describe("integers", () => {
  it("hold their extremes", () => {
    for (const [bits, signed, values] of [
      [8, false, [0, 255]],
      [8, true, [-128, 127]],
      [16, true, [-32768, 32767]],
      [32, true, [-2147483648, 2147483647]],
      [32, false, [4294967295]],
      [64, true, [Number.MIN_SAFE_INTEGER, -1, -4294967296, Number.MAX_SAFE_INTEGER]],
    ] as const) {
      for (const value of values) {
        assert.equal(
          roundTrip(int(bits, signed), (buffer) => buffer.appendInt(value)),
          String(value),
        );
      }
    }
    assert.equal(
      roundTrip(int(64), (buffer) => buffer.appendInt64(0, -2147483648)),
      "-9223372036854775808",
    );
    assert.equal(
      roundTrip(int(64), (buffer) => buffer.appendInt64(0xffffffff, 0x7fffffff)),
      "9223372036854775807",
    );
  });
  it("refuse what lies outside, and fractions", () => {
    refuses("value.not_exact", int(8, false), (buffer) => buffer.appendInt(256));
    refuses("value.not_exact", int(8, false), (buffer) => buffer.appendInt(-1));
    refuses("value.not_exact", int(64), (buffer) => buffer.appendInt(2 ** 53));
    refuses("value.not_exact", int(32), (buffer) => buffer.appendInt(0.5));
    refuses("value.not_exact", int(32), (buffer) => buffer.appendInt(Number.NaN));
  });
});

describe("decimals", () => {
  const max38 = [0xffffffff, 0x098a223f, 0x5a86c47a, 0x4b3b4ca8] as const;
  it("hold 38 digits of both signs", () => {
    const digits = "9999999999999999999999999999.9999999999";
    assert.equal(
      roundTrip(decimal(38, 10), (buffer) => buffer.appendDecimal(false, ...max38)),
      digits,
    );
    assert.equal(
      roundTrip(decimal(38, 10), (buffer) => buffer.appendDecimal(true, ...max38)),
      `-${digits}`,
    );
  });
  it("carry the sign through zero words", () => {
    const cases = [
      [[0, 0, 0, 0], "0"],
      [[1, 0, 0, 0], "-1"],
      [[0, 1, 0, 0], "-4294967296"],
      [[0, 0, 1, 0], "-18446744073709551616"],
      [[0, 0, 0, 1], "-79228162514264337593543950336"],
    ] as const;
    for (const [[word0, word1, word2, word3], text] of cases) {
      assert.equal(
        roundTrip(decimal(38, 0), (b) => b.appendDecimal(true, word0, word1, word2, word3)),
        text,
      );
    }
  });
  it("take money as int64", () => {
    const money = decimal(19, 4);
    assert.equal(
      roundTrip(money, (buffer) => buffer.appendInt64(0, -2147483648)),
      "-922337203685477.5808",
    );
    assert.equal(
      roundTrip(money, (buffer) => buffer.appendInt64(0xffffffff, 0x7fffffff)),
      "922337203685477.5807",
    );
    assert.equal(
      roundTrip(money, (buffer) => buffer.appendInt64(0xffffffff, -1)),
      "-0.0001",
    );
    assert.equal(
      roundTrip(money, (buffer) => buffer.appendInt64(0, -1)),
      "-429496.7296",
    );
  });
  it("refuse more digits than the precision", () => {
    refuses("value.not_exact", decimal(2, 0), (buffer) => buffer.appendDecimal(false, 100, 0, 0, 0));
    refuses("value.not_exact", decimal(38, 0), (b) => b.appendDecimal(true, 0, max38[1] + 1, max38[2], max38[3]));
  });
});

describe("text and binary", () => {
  it("carry every kind of character from UTF-16 and UTF-8", () => {
    for (const text of ["", "a", "é", "€", "😀", "a\u0000b", "\uFEFFx", "é€😀".repeat(20)]) {
      const wide = utf16(text);
      assert.equal(
        roundTrip({ kind: "utf8" }, (b) => b.appendText(wide, 0, wide.length, "utf16le")),
        text,
      );
      const narrow = Buffer.from(`xx${text}yy`);
      assert.equal(
        roundTrip({ kind: "utf8" }, (b) => b.appendText(narrow, 2, narrow.length - 2, "utf8")),
        text,
      );
      assert.equal(
        roundTrip({ kind: "utf8" }, (buffer) => buffer.appendString(text)),
        text,
      );
    }
  });
  it("carries a long text from UTF-16", () => {
    const text = "aé€😀".repeat(50_000);
    const batch = createBatch([column({ kind: "utf8" })], { cellBytes: 1e7, rowBytes: 1e7 });
    batch.columns[0]!.appendText(utf16(text), 0, text.length * 2, "utf16le");
    batch.rowDone();
    assert.equal(batch.takeLastKey(["c"])[0], text);
  });
  it("refuse text without a UTF-8 form", () => {
    for (const text of ["\ud800", "a\udc00", "\ud800a", "\ud800\ud800\udc00"]) {
      const wide = utf16(text);
      refuses("value.not_exact", { kind: "utf8" }, (buffer) => buffer.appendText(wide, 0, wide.length, "utf16le"));
      refuses("value.not_exact", { kind: "utf8" }, (buffer) => buffer.appendString(text));
    }
    refuses("value.not_exact", { kind: "utf8" }, (b) => b.appendText(Buffer.from([97, 0, 98]), 0, 3, "utf16le"));
    refuses("value.not_exact", { kind: "utf8" }, (b) => b.appendText(Buffer.from([0xc3, 0x28]), 0, 2, "utf8"));
  });
  it("read as base64url in keys", () => {
    const bytes = Buffer.from("fbff00", "hex");
    assert.equal(
      roundTrip({ kind: "binary" }, (buffer) => buffer.appendBytes(bytes, 0, 3)),
      "-_8A",
    );
    const version: ColumnType = { kind: "fixedBinary", bytes: 8 };
    assert.equal(
      roundTrip(version, (b) => b.appendBytes(Buffer.alloc(9, 0xff), 1, 9)),
      "__________8",
    );
    refuses("value.not_exact", version, (buffer) => buffer.appendBytes(bytes, 0, 3));
  });
  it("reorder a UUID from SQL Server", () => {
    const wire = Buffer.from("33221100554477668899aabbccddeeff", "hex");
    const uuid: ColumnType = { kind: "fixedBinary", bytes: 16, uuid: true };
    const text = "00112233-4455-6677-8899-aabbccddeeff";
    assert.equal(
      roundTrip(uuid, (buffer) => buffer.appendUuid(wire, 0)),
      text,
    );
  });
});

describe("times", () => {
  const LAST_TICK = 863_999_999_999;
  const ns: ColumnType = { kind: "timestamp", unit: "ns" };
  const us: ColumnType = { kind: "timestamp", unit: "us" };
  it("hold the ends of what nanoseconds span, and refuse what lies beyond", () => {
    assert.equal(
      roundTrip(ns, (b) => b.appendTimestamp(-106_752, 7_631_452_242)),
      "1677-09-21T00:12:43.1452242",
    );
    assert.equal(
      roundTrip(ns, (b) => b.appendTimestamp(106_751, 856_368_547_758)),
      "2262-04-11T23:47:16.8547758",
    );
    refuses("value.not_exact", ns, (buffer) => buffer.appendTimestamp(106_751, 856_368_547_759));
    refuses("value.not_exact", ns, (buffer) => buffer.appendTimestamp(-106_752, 7_631_452_241));
    refuses("value.not_exact", ns, (buffer) => buffer.appendTimestamp(2_932_896, 0));
  });
  it("hold the years 1 to 9999 in microseconds and milliseconds", () => {
    assert.equal(
      roundTrip(us, (b) => b.appendTimestamp(-719_162, 10)),
      "0001-01-01T00:00:00.000001",
    );
    assert.equal(
      roundTrip(us, (b) => b.appendTimestamp(2_932_896, LAST_TICK - 9)),
      "9999-12-31T23:59:59.999999",
    );
    const ms: ColumnType = { kind: "timestamp", unit: "ms" };
    assert.equal(
      roundTrip(ms, (b) => b.appendTimestamp(-1, 30_000)),
      "1969-12-31T00:00:00.003",
    );
  });
  it("refuse digits that the unit would lose, and ticks outside a day", () => {
    refuses("value.not_exact", us, (buffer) => buffer.appendTimestamp(0, 1));
    refuses("value.not_exact", { kind: "timestamp", unit: "ms" }, (buffer) => buffer.appendTimestamp(0, 10));
    refuses("value.not_exact", ns, (buffer) => buffer.appendTimestamp(0, LAST_TICK + 1));
    refuses("value.not_exact", { kind: "time" }, (buffer) => buffer.appendTime(LAST_TICK + 1));
    refuses("value.not_exact", { kind: "time" }, (buffer) => buffer.appendTime(-1));
  });
  it("keep the offset, and show the local time with it", () => {
    const offset: ColumnType = { kind: "timestampOffset", unit: "ns" };
    const shown = (days: number, ticks: number, minutes: number) =>
      roundTrip(offset, (buffer) => buffer.appendTimestampOffset(days, ticks, minutes));
    assert.equal(shown(0, 1, -330), "1969-12-31T18:30:00.0000001-05:30");
    assert.equal(shown(0, LAST_TICK, 840), "1970-01-02T13:59:59.9999999+14:00");
    assert.equal(shown(-1, 0, 0), "1969-12-31T00:00:00.0000000+00:00");
  });
  it("go into text columns as ISO text, beyond what nanoseconds span", () => {
    const utf8: ColumnType = { kind: "utf8" };
    assert.equal(
      roundTrip(utf8, (b) => b.appendTimestamp(2_932_896, LAST_TICK)),
      "9999-12-31T23:59:59.9999999",
    );
    const local = "9999-12-31T21:59:59.9999999-02:00";
    assert.equal(
      roundTrip(utf8, (b) => b.appendTimestampOffset(2_932_896, LAST_TICK, -120)),
      local,
    );
  });
  it("hold dates and times of day", () => {
    assert.equal(
      roundTrip({ kind: "date" }, (buffer) => buffer.appendDate(-719_162)),
      "0001-01-01",
    );
    assert.equal(
      roundTrip({ kind: "date" }, (buffer) => buffer.appendDate(11_016)),
      "2000-02-29",
    );
    assert.equal(
      roundTrip({ kind: "time" }, (buffer) => buffer.appendTime(LAST_TICK)),
      "23:59:59.9999999",
    );
  });
});

describe("floats", () => {
  it("hold doubles, and in 32 bits only what fits", () => {
    assert.equal(
      roundTrip({ kind: "float", bits: 64 }, (buffer) => buffer.appendFloat(5e-324)),
      "5e-324",
    );
    assert.equal(
      roundTrip({ kind: "float", bits: 64 }, (buffer) => buffer.appendFloat(-0)),
      "-0",
    );
    assert.equal(
      roundTrip({ kind: "float", bits: 32 }, (buffer) => buffer.appendFloat(1.5)),
      "1.5",
    );
    refuses("value.not_exact", { kind: "float", bits: 32 }, (buffer) => buffer.appendFloat(0.1));
  });
});

describe("a row", () => {
  it("needs exactly one value a column", () => {
    const batch = createBatch([column(int(32), "a"), column(int(32), "b")], LIMITS);
    batch.columns[0]!.appendInt(1);
    assert.throws(() => batch.rowDone(), TypeError);
    batch.columns[1]!.appendInt(1);
    batch.columns[1]!.appendInt(1);
    assert.throws(() => batch.rowDone(), TypeError);
  });
  it("refuses NULL in a column that is NOT NULL, and a value of another kind", () => {
    const batch = createBatch([column(int(32), "a", false)], LIMITS);
    assert.throws(() => batch.columns[0]!.appendNull(), { code: "value.not_exact" });
    assert.throws(() => batch.columns[0]!.appendBool(true), TypeError);
  });
  it("is bounded by cell and by row", () => {
    const bytes = Buffer.alloc(1001);
    refuses("limit.bytes", { kind: "binary" }, (buffer) => buffer.appendBytes(bytes, 0, 1001));
    refuses("limit.bytes", { kind: "utf8" }, (buffer) => buffer.appendString("é".repeat(501)));
    refuses("limit.bytes", { kind: "utf8" }, (b) => b.appendText(utf16("é".repeat(501)), 0, 1002, "utf16le"));
    const batch = createBatch([column({ kind: "binary" }, "a"), column({ kind: "binary" }, "b")], LIMITS);
    batch.columns[0]!.appendBytes(bytes, 0, 1000);
    batch.columns[1]!.appendBytes(bytes, 0, 1000);
    // 2,000 bytes of data and two offsets.
    assert.throws(() => batch.rowDone(), { code: "limit.bytes" });
  });
});
