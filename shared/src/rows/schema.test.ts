import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  Binary,
  DateMillisecond,
  Dictionary,
  Field,
  Float16,
  Int32,
  LargeUtf8,
  List,
  Schema,
  Struct,
  Table,
  TimeMillisecond,
  TimestampMicrosecond,
  TimestampSecond,
  tableToIPC,
  Utf8,
} from "apache-arrow";
import { Builder } from "flatbuffers";
import { SallyportError } from "../protocol/errors.ts";
import { frameMessage, HEADER } from "./ipc.ts";
import { decodeSchema, encodeSchema } from "./schema.ts";
import type { Column } from "./types.ts";

/** The schema message of a stream that apache-arrow writes. */
function foreignSchema(fields: Field[], metadata = new Map<string, string>()): Uint8Array {
  const schema = new Schema(fields, metadata);
  const stream = tableToIPC(new Table(schema), "stream");
  return stream.subarray(0, 8 + new DataView(stream.buffer, stream.byteOffset).getInt32(4, true));
}

const refused = (message: Uint8Array, says: RegExp): void => {
  assert.throws(
    () => decodeSchema(message),
    (error) => error instanceof SallyportError && error.code === "protocol.batch" && says.test(error.message),
  );
};
const field = (name: string, type: Field["type"], metadata?: Map<string, string>) =>
  new Field(name, type, true, metadata);
const text = (name: string): Column => ({ name, type: { kind: "utf8" }, nullable: true, source: "nvarchar(8)" });

describe("a foreign schema", () => {
  it("is read when its types are known here", () => {
    const { columns } = decodeSchema(foreignSchema([field("a", new Int32()), field("b", new Binary())]));
    assert.deepEqual(
      columns.map(({ name, type, source }) => [name, type.kind, source]),
      [
        ["a", "int", ""],
        ["b", "binary", ""],
      ],
    );
  });
  it("is refused for every type that is not", () => {
    const types = [
      new LargeUtf8(),
      new Float16(),
      new DateMillisecond(),
      new TimeMillisecond(),
      new TimestampSecond(),
      new TimestampMicrosecond("UTC"),
      new List(field("item", new Utf8())),
      new Struct([field("instant", new TimestampMicrosecond("UTC")), field("offset_minutes", new Int32())]),
    ];
    for (const type of types) refused(foreignSchema([field("x", type)]), /not known here/);
    refused(foreignSchema([field("x", new Dictionary(new Utf8(), new Int32()))]), /dictionary/);
  });
  it("is refused for an extension type that is not a UUID", () => {
    const extension = (name: string) => new Map([["ARROW:extension:name", name]]);
    refused(foreignSchema([field("x", new Utf8(), extension("arrow.json"))]), /extension/);
    refused(foreignSchema([field("x", new Utf8(), extension("arrow.uuid"))]), /extension/);
  });
});

describe("a schema is refused", () => {
  it("without columns", () => refused(encodeSchema([]), /no columns/));
  it("with one name for two columns", () => {
    refused(foreignSchema([field("x", new Utf8()), field("x", new Int32())]), /one name/);
  });
  it("with more than 4,096 columns", () => {
    refused(encodeSchema(Array.from({ length: 4097 }, (_, index) => text(`c${index}`))), /4096 is the most/);
  });
  it("with a name, a metadata value or a count of entries beyond its limit", () => {
    refused(encodeSchema([text("x".repeat(1025))]), /1024 is the most/);
    refused(encodeSchema([text("x")], { plan: "x".repeat(8193) }), /8192 is the most/);
    const entries = Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`k${index}`, ""]));
    refused(encodeSchema([text("x")], entries), /16 is the most/);
  });
  it("when it is larger than 4 MiB", () => refused(new Uint8Array((4 << 20) + 1), /4 MiB/));
  it("when its byte order is the other one", () => {
    const builder = new Builder();
    builder.startObject(4);
    builder.addFieldInt16(0, 1, 0);
    refused(frameMessage(builder, HEADER.schema, builder.endObject(), 0).message, /little-endian/);
  });
  it("when its columns share their metadata, to become larger than it is", () => {
    refused(sharedMetadata(4000, "x".repeat(8000)), /more metadata than bytes/);
  });
});

/** Columns of which all point at one and the same metadata vector. */
function sharedMetadata(columns: number, value: string): Uint8Array {
  const builder = new Builder();
  const vector = (offsets: number[]) => {
    builder.startVector(4, offsets.length, 4);
    for (const offset of offsets.toReversed()) builder.addOffset(offset);
    return builder.endVector();
  };
  const key = builder.createString("k");
  const shared = builder.createString(value);
  builder.startObject(2);
  builder.addFieldOffset(0, key, 0);
  builder.addFieldOffset(1, shared, 0);
  const metadata = vector([builder.endObject()]);
  builder.startObject(0);
  const type = builder.endObject();
  const fields = Array.from({ length: columns }, (_, index) => {
    const name = builder.createString(`c${index}`);
    builder.startObject(7);
    builder.addFieldOffset(0, name, 0);
    builder.addFieldInt8(2, 5, 0);
    builder.addFieldOffset(3, type, 0);
    builder.addFieldOffset(6, metadata, 0);
    return builder.endObject();
  });
  const fieldVector = vector(fields);
  builder.startObject(4);
  builder.addFieldOffset(1, fieldVector, 0);
  return frameMessage(builder, HEADER.schema, builder.endObject(), 0).message;
}

it("names that mean something to JavaScript survive", () => {
  const columns = ["__proto__", "constructor", "", " ", "é😀"].map(text);
  const metadata = { constructor: "x", toString: "y" };
  const decoded = decodeSchema(encodeSchema(columns, metadata));
  assert.deepEqual(
    decoded.columns,
    columns.map((column) => ({ ...column, metadata: {} })),
  );
  assert.deepEqual(decoded.metadata, metadata);
});
