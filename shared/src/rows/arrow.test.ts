import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { CompressionType, compressionRegistry, type Data, DataType, tableFromIPC, type Vector } from "apache-arrow";
import fc from "fast-check";
import { decodeSchema, END_OF_STREAM, encodeBatch, encodeSchema } from "./arrow.ts";
import { assembleIpc } from "./assemble.ts";
import { checkBatch } from "./check.ts";
import { jsonRows } from "./test-json-rows.ts";
import {
  appendSamples,
  SAMPLE_COLUMNS,
  SAMPLE_LIMITS,
  type Sample,
  sampleBatch,
  sampleRows,
  TICKS_PER_DAY,
} from "./test-samples.ts";
import type { JsonValue } from "./to-json.ts";
import type { ColumnType } from "./types.ts";

compressionRegistry.set(CompressionType.ZSTD, {
  encode: (data) => zstdCompressSync(data),
  decode: (data) => new Uint8Array(zstdDecompressSync(data)),
});

const NAMES = SAMPLE_COLUMNS.map(({ name }) => name);
const SCHEMA = encodeSchema(SAMPLE_COLUMNS, { "sallyport.plan": '{"to":"é"}' });
const TICKS = { ms: 10_000n, us: 10n, ns: 1n } as const;

/** `Date` knows the years 1 to 9999 to the millisecond; the ticks below come from the sample. */
function isoOf(ticks: bigint, digits: number): string {
  const inMillisecond = ((ticks % 10_000n) + 10_000n) % 10_000n;
  const text = new Date(Number((ticks - inMillisecond) / 10_000n)).toISOString().slice(0, -1);
  return (
    text +
    String(inMillisecond)
      .padStart(4, "0")
      .slice(0, digits - 3)
  );
}

/** The JSON of a sample, by other means than those of to-json.ts. */
function expectedJson(type: ColumnType, sample: Sample): JsonValue {
  if (sample === null || typeof sample === "boolean" || typeof sample === "string") return sample;
  if (type.kind === "list") return (sample as readonly Sample[]).map((each) => expectedJson(type.of, each));
  if (type.kind === "date") return new Date(Number(sample) * 86_400_000).toISOString().slice(0, 10);
  if (typeof sample === "number")
    return Number.isFinite(sample) && !Object.is(sample, -0) ? sample : sample === 0 ? "-0" : `${sample}`;
  if (Buffer.isBuffer(sample)) {
    const hex = sample.toString("hex");
    const isUuid = type.kind === "fixedBinary" && type.uuid;
    return isUuid ? hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-") : sample.toString("base64");
  }
  switch (type.kind) {
    case "time":
      return isoOf(sample as bigint, 7).slice(11);
    case "timestamp":
      return isoOf(sample as bigint, { ms: 3, us: 6, ns: 7 }[type.unit]);
    case "timestampOffset": {
      const { instant, offset } = sample as { instant: bigint; offset: number };
      const local = isoOf(instant + (BigInt(offset) * TICKS_PER_DAY) / 1440n, type.unit === "us" ? 6 : 7);
      const zone = new Date(Math.abs(offset) * 60_000).toISOString().slice(11, 16);
      return `${local}${offset < 0 ? "-" : "+"}${zone}`;
    }
    default:
      return String(sample);
  }
}

/** A decimal's text as its unscaled integer, after a look at the place of its point. */
function unscaled(value: JsonValue, scale: number): bigint | null {
  if (value === null) return null;
  const text = String(value);
  assert.equal(scale === 0 ? text.indexOf(".") : text.length - text.indexOf(".") - 1, scale === 0 ? -1 : scale);
  return BigInt(text.replace(".", ""));
}

function assertOurs(rows: readonly (readonly Sample[])[], read: readonly Record<string, JsonValue>[]): void {
  assert.equal(read.length, rows.length);
  for (const [index, row] of rows.entries()) {
    for (const [at, { name, type }] of SAMPLE_COLUMNS.entries()) {
      const value = read[index]![name]!;
      assertJson(type, value, row[at]!, name);
    }
  }
}

function assertJson(type: ColumnType, value: JsonValue, sample: Sample, name: string): void {
  if (type.kind === "decimal") assert.equal(unscaled(value, type.scale), sample, name);
  else if (type.kind !== "list" || value === null) assert.deepEqual(value, expectedJson(type, sample), name);
  else {
    const samples = sample as readonly Sample[];
    assert.equal((value as JsonValue[]).length, samples.length);
    for (const [at, each] of samples.entries()) assertJson(type.of, (value as JsonValue[])[at]!, each, name);
  }
}

const signed128 = (words: Uint32Array): bigint =>
  BigInt.asIntN(
    128,
    words.reduce((sum, word, index) => sum | (BigInt(word) << BigInt(32 * index)), 0n),
  );

/** A value as apache-arrow stores it; its own accessors turn 64-bit times into numbers. */
function arrowValue(vector: Vector, type: ColumnType, row: number): unknown {
  if (vector.get(row) === null) return null;
  if (type.kind === "list") {
    const items = vector.get(row) as Vector;
    return Array.from({ length: items.length }, (_, index) => arrowValue(items, type.of, index));
  }
  const stored = (data: Data): unknown => (data.values as BigInt64Array)[row];
  const [data] = vector.data;
  switch (type.kind) {
    case "decimal":
      return signed128(new Uint32Array(vector.get(row)));
    case "binary":
    case "fixedBinary":
      return Buffer.from(vector.get(row));
    case "date":
      return (data!.values as Int32Array)[row];
    case "time":
    case "timestamp":
      return stored(data!);
    case "timestampOffset":
      return { instant: stored(data!.children[0]!), offset: (data!.children[1]!.values as Int16Array)[row] };
    default:
      return vector.get(row);
  }
}

function arrowSample(type: ColumnType, sample: Sample): unknown {
  if (sample === null) return null;
  if (type.kind === "list") return (sample as readonly Sample[]).map((each) => arrowSample(type.of, each));
  if (type.kind === "time") return (sample as bigint) * 100n;
  const inUnit = (ticks: bigint, unit: keyof typeof TICKS) => (unit === "ns" ? ticks * 100n : ticks / TICKS[unit]);
  if (type.kind === "timestamp") return inUnit(sample as bigint, type.unit);
  if (type.kind === "timestampOffset") {
    const { instant, offset } = sample as { instant: bigint; offset: number };
    return { instant: inUnit(instant, type.unit), offset };
  }
  return sample;
}

function assertTheirs(stream: Uint8Array, batches: readonly (readonly (readonly Sample[])[])[]): void {
  const table = tableFromIPC(stream);
  assert.equal(table.batches.length, batches.length);
  for (const [batch, rows] of batches.entries()) {
    assert.equal(table.batches[batch]!.numRows, rows.length);
    for (const [at, { type, name }] of SAMPLE_COLUMNS.entries()) {
      const vector = table.batches[batch]!.getChildAt(at)!;
      for (const [row, samples] of rows.entries()) {
        assert.deepStrictEqual(arrowValue(vector, type, row), arrowSample(type, samples[at]!), name);
      }
    }
  }
}

describe("a record batch of every type", () => {
  it("reads as it was filled, by our reader and by apache-arrow's", () => {
    fc.assert(
      fc.property(sampleRows, (rows) => {
        const message = encodeBatch(sampleBatch(rows));
        const { columns } = decodeSchema(SCHEMA);
        const checked = checkBatch(message, columns, SAMPLE_LIMITS);
        assert.equal(checked.rows, rows.length);
        assert.equal(checked.bytes, message.length);
        assertOurs(rows, [...jsonRows(NAMES, checked.columns)]);
        assertTheirs(Buffer.concat([SCHEMA, message, END_OF_STREAM]), [rows]);
        assertTheirs(assembleIpc(SCHEMA, checked), [rows]);
      }),
      { numRuns: 150 },
    );
  });
  it("makes a stream of several batches, from one batch used again", () => {
    fc.assert(
      fc.property(sampleRows, sampleRows, (first, second) => {
        const batch = sampleBatch(first);
        const head = encodeBatch(batch);
        batch.clear();
        appendSamples(batch, second);
        assertTheirs(Buffer.concat([SCHEMA, head, encodeBatch(batch), END_OF_STREAM]), [first, second]);
      }),
      { numRuns: 30 },
    );
  });
  it("can be stored without compression in the same form", () => {
    const rows = fc.sample(sampleRows, { numRuns: 1, seed: 3 })[0]!;
    const message = encodeBatch(sampleBatch(rows), "stored");
    const checked = checkBatch(message, SAMPLE_COLUMNS, SAMPLE_LIMITS);
    assert.ok(message.length > checked.decompressedBytes);
    assertTheirs(Buffer.concat([SCHEMA, message, END_OF_STREAM]), [rows]);
  });
  it("is compressed where that is smaller, and counts what it holds", () => {
    const rows = fc.sample(sampleRows, { numRuns: 1, seed: 7 })[0]!;
    const batch = sampleBatch(Array.from({ length: 400 }, (_, index) => rows[index % rows.length]!));
    const message = encodeBatch(batch);
    const checked = checkBatch(message, SAMPLE_COLUMNS, SAMPLE_LIMITS);
    assert.ok(message.length < checked.decompressedBytes / 2);
    assert.ok(checked.decompressedBytes <= batch.byteLength && batch.byteLength < checked.decompressedBytes * 1.2);
  });
});

describe("a schema message", () => {
  it("carries types, names, source types and the plan, for us and for apache-arrow", () => {
    const { columns, metadata } = decodeSchema(SCHEMA);
    assert.deepEqual(
      columns,
      SAMPLE_COLUMNS.map((column) => ({ ...column, metadata: {} })),
    );
    assert.deepEqual(metadata, { "sallyport.plan": '{"to":"é"}' });
    const { schema } = tableFromIPC(Buffer.concat([SCHEMA, END_OF_STREAM]));
    assert.equal(schema.metadata.get("sallyport.plan"), '{"to":"é"}');
    for (const [index, { name, source, type }] of SAMPLE_COLUMNS.entries()) {
      const field = schema.fields[index]!;
      assert.equal(field.name, name);
      assert.equal(field.nullable, true);
      assert.equal(field.metadata.get("sallyport.source"), source);
      if (type.kind === "fixedBinary") {
        assert.equal(field.metadata.get("ARROW:extension:name"), type.uuid ? "arrow.uuid" : undefined);
        assert.ok(DataType.isFixedSizeBinary(field.type));
      }
    }
  });
});
