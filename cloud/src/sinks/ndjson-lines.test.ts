import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ColumnView } from "@sallyport/shared/rows/layout.ts";
import type { ColumnType } from "@sallyport/shared/rows/types.ts";
import { jsonLines } from "./ndjson-lines.ts";

const fixed = (type: ColumnType, data: ArrayBufferView, length: number): ColumnView => ({
  type,
  length,
  nullCount: 0,
  validity: undefined,
  offsets: undefined,
  data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  offsetMinutes: undefined,
});

function variable(kind: "utf8" | "binary", cells: readonly (Buffer | null)[]): ColumnView {
  const offsets = Int32Array.of(0, ...cells.map((cell) => cell?.length ?? 0));
  for (let index = 1; index < offsets.length; index++) offsets[index]! += offsets[index - 1]!;
  const validity = new Uint8Array(Math.ceil(cells.length / 8));
  for (const [row, cell] of cells.entries()) if (cell !== null) validity[row >> 3]! |= 1 << (row & 7);
  return {
    type: { kind },
    length: cells.length,
    nullCount: cells.filter((cell) => cell === null).length,
    validity,
    offsets,
    data: Buffer.concat(cells.map((cell) => cell ?? Buffer.alloc(0))),
    offsetMinutes: undefined,
  };
}

const textOf = (names: readonly string[], views: readonly ColumnView[]) =>
  Buffer.concat([...jsonLines(names, views)]).toString();
const rowsOf = (names: readonly string[], views: readonly ColumnView[]) =>
  textOf(names, views)
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);

describe("lines of JSON", () => {
  it("escape what JSON must escape, also in names, and keep everything else", () => {
    const texts = ["", '"\\/', "\u0000\u0001\b\t\n\f\r\u001f\u007f", "Zoë 𝄞 東京 \u2028\u2029\ufeff\uffff", null];
    const view = variable(
      "utf8",
      texts.map((text) => (text === null ? null : Buffer.from(text))),
    );
    const names = ['say "a\\b"\n', "__proto__"];
    const lines = textOf(names, [view, view]).trimEnd().split("\n");
    assert.equal(lines.length, texts.length);
    for (const [row, text] of texts.entries()) {
      assert.deepEqual(Object.entries(JSON.parse(lines[row]!) as object), [
        [names[0], text],
        [names[1], text],
      ]);
    }
  });

  it("cut large text between characters and large binary between its groups of three bytes, in bounded pieces", () => {
    for (const shift of [0, 1, 2, 3]) {
      const text = "x".repeat(shift) + "𝄞東é\u0001".repeat(60_000);
      const bytes = Buffer.alloc(1_000_001 + shift, "Zm9vYmFy+/");
      const views = [variable("utf8", [Buffer.from(text)]), variable("binary", [bytes])];
      const pieces = [...jsonLines(["t", "b"], views)];
      assert.ok(pieces.every(({ length }) => length <= 160 * 1024));
      assert.ok(pieces.length > 15);
      const row = JSON.parse(Buffer.concat(pieces).toString()) as { t: string; b: string };
      assert.ok(row.t === text && row.b === bytes.toString("base64"));
    }
  });

  it("write null for a NULL, whatever bytes stand in its place", () => {
    const view = variable("binary", [Buffer.alloc(50_000), Buffer.from("a")]);
    assert.equal(
      textOf(["b"], [{ ...view, nullCount: 1, validity: Uint8Array.of(0b10) }]),
      '{"b":null}\n{"b":"YQ=="}\n',
    );
  });

  it("stay in bounded pieces whatever the number of columns, and each piece stays as it was", () => {
    const views = Array.from({ length: 3000 }, () => fixed({ kind: "bool" }, Uint8Array.of(0b101), 3));
    const names = views.map((_, index) => `${index}${"n".repeat(1000)}`);
    const pieces = [...jsonLines(names, views)];
    assert.ok(pieces.every(({ length }) => length <= 160 * 1024));
    const lines = Buffer.concat(pieces).toString().trimEnd().split("\n");
    assert.equal(lines.length, 3);
    assert.equal(lines[1], `{${names.map((name) => `"${name}":false`).join()}}`);
  });

  it("write floats as numbers, the negative zero too, and refuse what is none", () => {
    const floats = (...values: number[]) =>
      fixed({ kind: "float", bits: 64 }, Float64Array.from(values), values.length);
    const finite = [0, -0, 0.1, 5e-324, -1.7976931348623157e308, 1e21, 123456789012345680000];
    assert.deepEqual(
      rowsOf(["f"], [floats(...finite)]).map(({ f }) => f),
      finite,
    );
    assert.equal(textOf(["f"], [floats(-0)]), '{"f":-0}\n');
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      assert.throws(() => textOf(["f"], [floats(1, value)]), { code: "value.not_exact", detail: { column: "f" } });
    }
  });

  it("give every timestamp 7 digits of a second, and 9 where 7 do not say all", () => {
    const stamp = (unit: "ms" | "us" | "ns", value: bigint) =>
      rowsOf(["t"], [fixed({ kind: "timestamp", unit }, BigInt64Array.of(value), 1)])[0]!.t;
    assert.equal(stamp("ms", -1n), "1969-12-31T23:59:59.9990000");
    assert.equal(stamp("us", 1n), "1970-01-01T00:00:00.0000010");
    assert.equal(stamp("ns", 100n), "1970-01-01T00:00:00.0000001");
    assert.equal(stamp("ns", 101n), "1970-01-01T00:00:00.000000101");
    const zoned = fixed({ kind: "timestampOffset", unit: "us" }, BigInt64Array.of(0n), 1);
    const rows = rowsOf(["t"], [{ ...zoned, offsetMinutes: Int16Array.of(-90) }]);
    assert.equal(rows[0]!.t, "1969-12-31T22:30:00.0000000-01:30");
  });

  it("keep integers as numbers while they are exact, and as text at 64 bits", () => {
    const views = [
      fixed({ kind: "int", bits: 32, signed: true }, Int32Array.of(-(2 ** 31)), 1),
      fixed({ kind: "int", bits: 64, signed: true }, BigInt64Array.of(-(2n ** 63n)), 1),
      fixed({ kind: "decimal", precision: 38, scale: 2 }, BigInt64Array.of(-5n, -1n), 1),
      fixed({ kind: "fixedBinary", bytes: 8 }, Uint8Array.of(0, 0, 0, 0, 0, 0, 7, 0xd1), 1),
    ];
    assert.equal(
      textOf(["i", "l", "d", "r"], views),
      '{"i":-2147483648,"l":"-9223372036854775808","d":"-0.05","r":"AAAAAAAAB9E="}\n',
    );
  });
});
