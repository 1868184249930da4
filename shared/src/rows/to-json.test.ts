import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isoDate } from "./iso.ts";
import type { ColumnView } from "./layout.ts";
import { jsonRows } from "./test-json-rows.ts";
import { columnReader, decimalText, keyValue } from "./to-json.ts";
import type { ColumnType } from "./types.ts";

const view = (type: ColumnType, data: ArrayBufferView, length = 1): ColumnView => ({
  type,
  length,
  nullCount: 0,
  validity: undefined,
  offsets: undefined,
  data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  offsetMinutes: undefined,
});

describe("JSON values", () => {
  it("keep 9 digits of nanoseconds that are no 100 ns ticks", () => {
    const time = view({ kind: "time" }, BigInt64Array.of(1n, 100n), 2);
    assert.deepEqual([0, 1].map(columnReader(time)), ["00:00:00.000000001", "00:00:00.0000001"]);
  });
  it("show every int64 timestamp, whatever its year", () => {
    const extremes = BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n);
    const shown = (unit: "ms" | "us" | "ns") =>
      [0, 1].map(columnReader(view({ kind: "timestamp", unit }, extremes, 2)));
    assert.deepEqual(shown("ns"), ["1677-09-21T00:12:43.145224192", "2262-04-11T23:47:16.854775807"]);
    assert.deepEqual(shown("us"), ["-290308-12-21T19:59:05.224192", "+294247-01-10T04:00:54.775807"]);
    for (const text of shown("ms")) assert.match(String(text), /^[+-]\d{9}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}$/);
  });
  it("agree with Date on days", () => {
    for (let day = -719_162; day <= 2_932_896; day += 997) {
      assert.equal(isoDate(day), new Date(day * 86_400_000).toISOString().slice(0, 10));
    }
  });
  it("place the point of a decimal", () => {
    const cases = [
      [0n, 2, "0.00"],
      [-1n, 2, "-0.01"],
      [12345n, 2, "123.45"],
      [-7n, 0, "-7"],
      [1n, 38, `0.${"0".repeat(37)}1`],
    ] as const;
    for (const [unscaled, scale, text] of cases) assert.equal(decimalText(unscaled, scale), text);
  });
  it("name floats that JSON has not", () => {
    const floats = view({ kind: "float", bits: 64 }, Float64Array.of(Number.NaN, Number.NEGATIVE_INFINITY, 0.1), 3);
    assert.deepEqual([0, 1, 2].map(columnReader(floats)), ["NaN", "-Infinity", 0.1]);
  });
  it("show unsigned 64-bit integers", () => {
    const type: ColumnType = { kind: "int", bits: 64, signed: false };
    assert.equal(columnReader(view(type, BigInt64Array.of(-1n)))(0), "18446744073709551615");
  });
  it("make rows of columns, also of one called __proto__", () => {
    const one = view({ kind: "int", bits: 8, signed: true }, Int8Array.of(-5));
    assert.equal(JSON.stringify([...jsonRows(["__proto__", "b"], [one, one])]), '[{"__proto__":-5,"b":-5}]');
    assert.equal(keyValue(one, 0), "-5");
  });
});
