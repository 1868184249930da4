import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Builder } from "flatbuffers";
import { checkBatch } from "./check.ts";
import { HEADER, METADATA_V5, openMessage } from "./ipc.ts";
import { decodeSchema } from "./schema.ts";

/** A message of which every part can be wrong. `write` makes the header; 0 leaves it out. */
function message(parts: {
  version?: number;
  kind?: number;
  write?: (builder: Builder) => number;
  metadata?: boolean;
}): Uint8Array {
  const { version = METADATA_V5, kind = HEADER.schema, write = emptyTable, metadata = false } = parts;
  const builder = new Builder();
  const header = write(builder);
  const custom = metadata ? vectorOf(builder, [entry(builder, "k", "v")]) : 0;
  builder.startObject(5);
  builder.addFieldOffset(2, header, 0);
  builder.addFieldOffset(4, custom, 0);
  builder.addFieldInt16(0, version, 0);
  builder.addFieldInt8(1, kind, 0);
  builder.finish(builder.endObject());
  const flat = builder.asUint8Array();
  const bytes = new Uint8Array(8 + Math.ceil(flat.length / 8) * 8);
  new DataView(bytes.buffer).setUint32(0, 0xffff_ffff, true);
  new DataView(bytes.buffer).setInt32(4, bytes.length - 8, true);
  bytes.set(flat, 8);
  return bytes;
}

const emptyTable = (builder: Builder): number => {
  builder.startObject(0);
  return builder.endObject();
};
function vectorOf(builder: Builder, offsets: readonly number[]): number {
  builder.startVector(4, offsets.length, 4);
  for (const offset of offsets.toReversed()) builder.addOffset(offset);
  return builder.endVector();
}
function int64Vector(builder: Builder): number {
  builder.startVector(8, 1, 8);
  builder.addInt64(0n);
  return builder.endVector();
}
function entry(builder: Builder, key: string | undefined, value: string | undefined): number {
  const [keyText, valueText] = [key, value].map((text) => (text === undefined ? 0 : builder.createString(text)));
  return table(builder, [
    [0, keyText!],
    [1, valueText!],
  ]);
}
/** A table of offsets by slot. */
function table(builder: Builder, fields: readonly (readonly [slot: number, offset: number])[]): number {
  builder.startObject(8);
  for (const [slot, offset] of fields) builder.addFieldOffset(slot, offset, 0);
  return builder.endObject();
}

const refused = (bytes: Uint8Array, says: RegExp, read: (bytes: Uint8Array) => unknown = decodeSchema): void => {
  assert.throws(
    () => read(bytes),
    (error: { code: string; message: string }) => error.code === "protocol.batch" && says.test(error.message),
  );
};

describe("a message is refused", () => {
  it("of another version", () => refused(message({ version: 3 }), /version V5/));
  it("of another kind", () => refused(message({ kind: HEADER.recordBatch }), /wrong kind/));
  it("with metadata of its own", () => refused(message({ metadata: true }), /vector has 1 elements/));
  it("without a header", () => refused(message({ write: () => 0 }), /no header/));
  it("but not for nothing", () => {
    assert.equal(openMessage(message({}), HEADER.schema, 1000).body.length, 0);
  });
});

describe("a schema is refused", () => {
  const withColumn = (write: (builder: Builder) => number) =>
    message({ write: (builder) => table(builder, [[1, vectorOf(builder, [write(builder)])]]) });
  it("with features", () => {
    refused(message({ write: (builder) => table(builder, [[3, int64Vector(builder)]]) }), /features/);
  });
  it("with a column without a name or a type", () => {
    refused(withColumn(emptyTable), /no name/);
    refused(
      withColumn((builder) => table(builder, [[0, builder.createString("x")]])),
      /Column x has no type/,
    );
  });
  it("with metadata that lacks a key or a value, or has a key twice", () => {
    const withEntries = (write: (builder: Builder) => number[]) =>
      withColumn((builder) => {
        const metadata = vectorOf(builder, write(builder));
        return table(builder, [
          [0, builder.createString("x")],
          [3, emptyTable(builder)],
          [6, metadata],
        ]);
      });
    refused(
      withEntries((builder) => [entry(builder, undefined, "v")]),
      /lacks/,
    );
    refused(
      withEntries((builder) => [entry(builder, "k", undefined)]),
      /lacks/,
    );
    refused(
      withEntries((builder) => [entry(builder, "k", "v"), entry(builder, "k", "w")]),
      /twice/,
    );
  });
});

describe("a batch is refused", () => {
  it("with variadic buffers", () => {
    const write = (builder: Builder): number => {
      builder.startObject(2);
      builder.addFieldInt8(0, 1, 0);
      const compression = builder.endObject();
      const counts = int64Vector(builder);
      builder.startObject(5);
      builder.addFieldInt64(0, 1n, 0n);
      builder.addFieldOffset(3, compression, 0);
      builder.addFieldOffset(4, counts, 0);
      return builder.endObject();
    };
    const bytes = message({ kind: HEADER.recordBatch, write });
    refused(bytes, /vector has 1 elements/, (batch) => checkBatch(batch, [], { cellBytes: 1, rowBytes: 1 }));
  });
});
