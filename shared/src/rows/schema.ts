/** The Arrow schema message (frame 0x10): columns and metadata to bytes, and back from bytes that nobody vouches for. */

import { Builder } from "flatbuffers";
import { SallyportError } from "../protocol/errors.ts";
import {
  badBatch,
  type FlatTable,
  readBool,
  readInt16,
  readTable,
  readTables,
  readText,
  readVector,
} from "./flatbuffer.ts";
import { frameMessage, HEADER, openMessage } from "./ipc.ts";
import { COLUMNS_MAX } from "./layout.ts";
import { addTypeFields, ITEM_NAME, readColumnType } from "./schema-type.ts";
import type { Column, ColumnType } from "./types.ts";

export type Metadata = Readonly<Record<string, string>>;

/** The field metadata that holds the type as its source declares it. */
const SOURCE_KEY = "sallyport.source";
/** The schema metadata that holds a run's plan as JSON (docs/protocol.md, "Session"). */
export const PLAN_KEY = "sallyport.plan";

const EXTENSION_NAME = "ARROW:extension:name";
const EXTENSION_METADATA = "ARROW:extension:metadata";
const UUID_EXTENSION = "arrow.uuid";

/** A schema frame is at most 4 MiB (docs/protocol.md, "Session"). */
const SCHEMA_BYTES_MAX = 4 * 1024 * 1024;
const NAME_BYTES_MAX = 1024;
const METADATA_ENTRIES_MAX = 16;
const METADATA_KEY_BYTES_MAX = 256;
const METADATA_VALUE_BYTES_MAX = 8 * 1024;

/**
 * The encapsulated schema message; `metadata` is the schema's own. Throws `value.not_exact` for two columns of one name.
 */
export function encodeSchema(columns: readonly Column[], metadata: Metadata = {}): Uint8Array {
  const names = new Set<string>();
  for (const { name } of columns) {
    if (names.has(name)) {
      throw new SallyportError("value.not_exact", `Two columns are called ${name || "(nothing)"}: name them apart.`);
    }
    names.add(name);
  }
  const builder = new Builder(1024);
  const fields = columns.map((column) => writeField(builder, column));
  const fieldVector = writeOffsets(builder, fields);
  const custom = writeMetadata(builder, metadata);
  builder.startObject(4);
  builder.addFieldOffset(1, fieldVector, 0);
  builder.addFieldOffset(2, custom, 0);
  return frameMessage(builder, HEADER.schema, builder.endObject(), 0).message;
}

function writeField(builder: Builder, column: Column): number {
  const { type } = column;
  const isUuid = type.kind === "fixedBinary" && type.uuid === true;
  return writeRawField(builder, column.name, column.nullable, type, {
    [SOURCE_KEY]: column.source,
    ...(isUuid ? { [EXTENSION_NAME]: UUID_EXTENSION, [EXTENSION_METADATA]: "" } : {}),
    ...column.metadata,
  });
}

function writeRawField(
  builder: Builder,
  name: string,
  nullable: boolean,
  type: ColumnType,
  metadata: Metadata,
): number {
  const childVector = writeOffsets(builder, writeChildren(builder, type));
  const nameText = builder.createString(name);
  const custom = writeMetadata(builder, metadata);
  const [typeCode, typeTable] = writeType(builder, type);
  builder.startObject(7);
  builder.addFieldOffset(0, nameText, 0);
  builder.addFieldInt8(1, nullable ? 1 : 0, 0);
  builder.addFieldInt8(2, typeCode, 0);
  builder.addFieldOffset(3, typeTable, 0);
  builder.addFieldOffset(5, childVector, 0);
  builder.addFieldOffset(6, custom, 0);
  return builder.endObject();
}

/** They have a value in every row, or every item; whether it counts is the parent's validity. */
function writeChildren(builder: Builder, type: ColumnType): number[] {
  if (type.kind === "list") return [writeRawField(builder, ITEM_NAME, false, type.of, {})];
  if (type.kind !== "timestampOffset") return [];
  return [
    writeRawField(builder, "instant", false, { kind: "timestamp", unit: type.unit }, {}),
    writeRawField(builder, "offset_minutes", false, { kind: "int", bits: 16, signed: true }, {}),
  ];
}

function writeType(builder: Builder, type: ColumnType): readonly [code: number, table: number] {
  builder.startObject(3);
  const code = addTypeFields(builder, type);
  return [code, builder.endObject()];
}

function writeOffsets(builder: Builder, offsets: readonly number[]): number {
  builder.startVector(4, offsets.length, 4);
  for (let index = offsets.length - 1; index >= 0; index--) builder.addOffset(offsets[index]!);
  return builder.endVector();
}

function writeMetadata(builder: Builder, metadata: Metadata): number {
  const entries = Object.entries(metadata).map(([key, value]) => {
    const keyText = builder.createString(key);
    const valueText = builder.createString(value);
    builder.startObject(2);
    builder.addFieldOffset(0, keyText, 0);
    builder.addFieldOffset(1, valueText, 0);
    return builder.endObject();
  });
  return entries.length === 0 ? 0 : writeOffsets(builder, entries);
}

export interface DecodedSchema {
  readonly columns: readonly Column[];
  readonly metadata: Metadata;
}

/** A received schema message. Throws `protocol.batch` for anything but the types of `types.ts`, within fixed sizes. */
export function decodeSchema(bytes: Uint8Array): DecodedSchema {
  if (bytes.length > SCHEMA_BYTES_MAX) throw badBatch("A schema message is larger than 4 MiB.");
  const { header } = openMessage(bytes, HEADER.schema, SCHEMA_BYTES_MAX);
  if (readInt16(header, 0) !== 0) throw badBatch("A schema is not little-endian.");
  if ((readVector(header, 3, 8, 8, METADATA_ENTRIES_MAX)?.length ?? 0) > 0) throw badBatch("A schema wants features.");
  const metadata = readMetadata(header, 2);
  const columns: Column[] = [];
  let textLength = 0;
  for (const field of readTables(header, 1, COLUMNS_MAX)) {
    const column = readColumn(field);
    columns.push(column);
    // Tables may share what they point at, so 4 MiB could become gigabytes of text.
    textLength += column.source.length + textLengthOf(column.metadata);
    if (textLength > bytes.length) throw badBatch("A schema has more metadata than bytes.");
  }
  if (columns.length === 0) throw badBatch("A schema has no columns.");
  if (new Set(columns.map(({ name }) => name)).size !== columns.length) throw badBatch("Two columns have one name.");
  return { columns, metadata };
}

const textLengthOf = (metadata: Metadata): number =>
  Object.entries(metadata).reduce((sum, [key, value]) => sum + key.length + value.length, 0);

function readColumn(field: FlatTable): Column & { readonly metadata: Metadata } {
  const name = readText(field, 0, NAME_BYTES_MAX);
  if (name === undefined) throw badBatch("A column has no name.");
  if (readTable(field, 4) !== undefined) throw badBatch(`Column ${name} is dictionary-encoded.`);
  const {
    [SOURCE_KEY]: source = "",
    [EXTENSION_NAME]: extension,
    [EXTENSION_METADATA]: _,
    ...metadata
  } = readMetadata(field, 6);
  const type = readColumnType(field, name);
  if (extension === undefined) return { name, type, nullable: readBool(field, 1), source, metadata };
  if (extension !== UUID_EXTENSION || type.kind !== "fixedBinary" || type.bytes !== 16) {
    throw badBatch(`Column ${name} has an extension type that is not known here.`);
  }
  return { name, type: { ...type, uuid: true }, nullable: readBool(field, 1), source, metadata };
}

function readMetadata(table: FlatTable, slot: number): Metadata {
  const entries = readTables(table, slot, METADATA_ENTRIES_MAX).map((entry): readonly [string, string] => {
    const key = readText(entry, 0, METADATA_KEY_BYTES_MAX);
    const value = readText(entry, 1, METADATA_VALUE_BYTES_MAX);
    if (key === undefined || value === undefined) throw badBatch("A metadata entry lacks its key or its value.");
    return [key, value];
  });
  if (new Set(entries.map(([key]) => key)).size !== entries.length) throw badBatch("A metadata key comes twice.");
  return Object.fromEntries(entries);
}
