import assert from "node:assert/strict";
import { test } from "node:test";
import { encoderOf } from "../wire/types-write.ts";
import { createWriter } from "../wire/writer.ts";
import { convert } from "./convert.ts";
import { formatDecimal, packDecimal, parseDecimal, unpackDecimal } from "./decimal.ts";
import { SqlError } from "./errors.ts";
import { formatGuid, parseGuid, wireGuid } from "./guid.ts";
import { parseMoment } from "./time.ts";
import { type SqlType, type SqlValue, sqlType } from "./type.ts";

const text = sqlType("varchar", { length: 60 });

/** The value of a T-SQL text as the bytes of a row, in hex. */
function onTheWire(value: SqlValue, type: SqlType): string {
  const writer = createWriter(64);
  encoderOf(type, 1000).value(writer, [value], 0);
  return writer.buffer.subarray(0, writer.at).toString("hex");
}

// Length, sign, then the magnitude, little endian, as long as the precision asks [MS-TDS 2.2.5.5.1.6].
for (const [literal, precision, scale, bytes] of [
  ["1.23", 9, 2, "05017b000000"],
  ["-1.23", 9, 2, "05007b000000"],
  ["0", 18, 0, "09010000000000000000"],
  ["99999999999999.9999", 18, 4, "0901ffff63a7b3b6e00d"],
  ["99999999999999999999999999999999999999", 38, 0, "1101ffffffff3f228a097ac4865aa84c3b4b"],
] as const) {
  test(`decimal(${precision},${scale}) ${literal} is ${bytes}`, () => {
    const type = sqlType("decimal", { precision, scale });
    assert.equal(onTheWire(convert(literal, text, type), type), bytes);
  });
}

test("a GUID is mixed-endian on the wire", () => {
  const guid = parseGuid("{6f9619ff-8b86-d011-b42d-00c04fc964ff}");
  assert.ok(guid);
  assert.equal(Buffer.from(wireGuid(guid)).toString("hex"), "ff19966f868b11d0b42d00c04fc964ff");
  assert.equal(formatGuid(guid), "6F9619FF-8B86-D011-B42D-00C04FC964FF");
  assert.equal(parseGuid("6f9619ff-8b86-d011-b42d"), null);
});

test("packed decimals sort like the numbers", () => {
  const numbers = [-(10n ** 38n) + 1n, -1n, 0n, 1n, 10n ** 38n - 1n];
  const packed = numbers.map(packDecimal);
  assert.deepEqual([...packed].reverse().sort(Buffer.compare), packed);
  assert.deepEqual(packed.map(unpackDecimal), numbers);
  assert.equal(formatDecimal(-5n, 3), "-0.005");
});

test("decimals round half away from zero, and refuse what does not fit", () => {
  const type = sqlType("decimal", { precision: 3, scale: 1 });
  const shown = (value: string): string => formatDecimal(unpackDecimal(convert(value, text, type) as Uint8Array), 1);
  assert.deepEqual(["1.25", "-1.25", "99.94"].map(shown), ["1.3", "-1.3", "99.9"]);
  assert.throws(
    () => shown("99.95"),
    (error) => error instanceof SqlError && error.number === 8115,
  );
  assert.throws(
    () => shown("1,5"),
    (error) => error instanceof SqlError && error.number === 8114,
  );
});

for (const wrong of ["", ".", "-", "1.2.3", "1e5", "0x1", "١"]) {
  test(`'${wrong}' is no decimal`, () => assert.equal(parseDecimal(wrong), null));
}

for (const wrong of ["2023-02-29", "2024-13-01", "2024-01-01 24:00", "0000-01-01", "yesterday", "2024-01-01 10:61"]) {
  test(`'${wrong}' is no moment`, () => assert.equal(parseMoment(wrong), null));
}

test("a moment keeps 100 ns and its offset", () => {
  assert.deepEqual(parseMoment("2024-02-29T23:59:59.9999999-03:30"), {
    days: 738_944,
    ticks: 863_999_999_999,
    offsetMinutes: -210,
  });
});

test("datetime rounds to three-hundredths and carries", () => {
  const shown = (value: string): SqlValue => {
    const datetime = sqlType("datetime");
    return convert(convert(value, text, datetime), datetime, text, 121);
  };
  assert.deepEqual(
    ["2024-01-01 00:00:00.001", "2024-01-01 00:00:00.002", "2024-01-01 00:00:00.005", "2024-01-01 23:59:59.999"].map(
      shown,
    ),
    ["2024-01-01 00:00:00.000", "2024-01-01 00:00:00.003", "2024-01-01 00:00:00.007", "2024-01-02 00:00:00.000"],
  );
});
