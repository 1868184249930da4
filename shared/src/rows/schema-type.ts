/** Column types as Arrow's `Type` tables (`Schema.fbs`): the only ones that are written, and the only ones let in. */

import type { Builder } from "flatbuffers";
import {
  badBatch,
  type FlatTable,
  readBool,
  readInt16,
  readInt32,
  readTable,
  readTables,
  readText,
  readUint8,
} from "./flatbuffer.ts";
import type { ColumnType, ItemType, TimeUnit } from "./types.ts";

const FIXED_BINARY_BYTES_MAX = 8000;
const ZONE_BYTES_MAX = 64;
const CHILD_NAME_BYTES_MAX = 64;

/** The union `Type` of Arrow's `Schema.fbs`. */
const TYPE = {
  int: 2,
  float: 3,
  binary: 4,
  utf8: 5,
  bool: 6,
  decimal: 7,
  date: 8,
  time: 9,
  timestamp: 10,
  list: 12,
  struct: 13,
  fixedBinary: 15,
} as const;
const UNIT_CODE = { ms: 1, us: 2, ns: 3 } as const satisfies Record<TimeUnit, number>;
const UNIT_OF_CODE = [undefined, "ms", "us", "ns"] as const;
const DAY = 0;
/** What Arrow's writers call the one child of a list [Schema.fbs; `arrow::list`]. */
export const ITEM_NAME = "item";

/** Adds the fields of a type to the open table and returns its code. A timestamp has no zone. */
export function addTypeFields(builder: Builder, type: ColumnType): number {
  switch (type.kind) {
    case "bool":
      return TYPE.bool;
    case "int":
      builder.addFieldInt32(0, type.bits, 0);
      builder.addFieldInt8(1, type.signed ? 1 : 0, 0);
      return TYPE.int;
    case "float":
      builder.addFieldInt16(0, type.bits === 32 ? 1 : 2, 0);
      return TYPE.float;
    case "decimal":
      builder.addFieldInt32(0, type.precision, 0);
      builder.addFieldInt32(1, type.scale, 0);
      builder.addFieldInt32(2, 128, 0);
      return TYPE.decimal;
    case "utf8":
      return TYPE.utf8;
    case "binary":
      return TYPE.binary;
    case "fixedBinary":
      builder.addFieldInt32(0, type.bytes, 0);
      return TYPE.fixedBinary;
    case "date":
      builder.addFieldInt16(0, DAY, 1);
      return TYPE.date;
    case "time":
      builder.addFieldInt16(0, UNIT_CODE.ns, 1);
      builder.addFieldInt32(1, 64, 32);
      return TYPE.time;
    case "timestamp":
      builder.addFieldInt16(0, UNIT_CODE[type.unit], 0);
      return TYPE.timestamp;
    case "timestampOffset":
      return TYPE.struct;
    case "list":
      return TYPE.list;
    default:
      return type satisfies never;
  }
}

/** The type of a received Field table; throws `protocol.batch` for what is not in `types.ts`. */
export function readColumnType(field: FlatTable, name: string): ColumnType {
  const children = readTables(field, 5, 2);
  const table = readTable(field, 3);
  const code = readUint8(field, 2);
  if (table === undefined) throw badBatch(`Column ${name} has no type.`);
  const type = readTypeOf(code, table, children);
  if (type === undefined) throw badBatch(`Column ${name} has a type that is not known here.`);
  return type;
}

function readTypeOf(code: number, table: FlatTable, children: readonly FlatTable[]): ColumnType | undefined {
  if (code === TYPE.struct) return readOffsetStruct(children);
  if (code === TYPE.list) return readList(children);
  if (children.length > 0) return undefined;
  return code === TYPE.fixedBinary ? readFixedBinary(table) : readItemType(code, table);
}

function readItemType(code: number, table: FlatTable): ItemType | undefined {
  switch (code) {
    case TYPE.bool:
      return { kind: "bool" };
    case TYPE.utf8:
      return { kind: "utf8" };
    case TYPE.binary:
      return { kind: "binary" };
    case TYPE.int:
      return readInt(table);
    case TYPE.float: {
      const precision = readInt16(table, 0);
      return precision === 1 || precision === 2 ? { kind: "float", bits: precision === 1 ? 32 : 64 } : undefined;
    }
    case TYPE.decimal:
      return readDecimal(table);
    case TYPE.date:
      return readInt16(table, 0, 1) === DAY ? { kind: "date" } : undefined;
    case TYPE.time:
      return readInt16(table, 0, 1) === UNIT_CODE.ns && readInt32(table, 1, 32) === 64 ? { kind: "time" } : undefined;
    case TYPE.timestamp: {
      const unit = UNIT_OF_CODE[readInt16(table, 0)];
      return unit !== undefined && readText(table, 1, ZONE_BYTES_MAX) === undefined
        ? { kind: "timestamp", unit }
        : undefined;
    }
    default:
      return undefined;
  }
}

function readFixedBinary(table: FlatTable): ColumnType | undefined {
  const bytes = readInt32(table, 0);
  return bytes >= 1 && bytes <= FIXED_BINARY_BYTES_MAX ? { kind: "fixedBinary", bytes } : undefined;
}

function readInt(table: FlatTable): ItemType | undefined {
  const bits = readInt32(table, 0);
  const known = bits === 8 || bits === 16 || bits === 32 || bits === 64;
  return known ? { kind: "int", bits, signed: readBool(table, 1) } : undefined;
}

function readDecimal(table: FlatTable): ItemType | undefined {
  const precision = readInt32(table, 0);
  const scale = readInt32(table, 1);
  const known = precision >= 1 && precision <= 38 && scale >= 0 && scale <= precision;
  return known && readInt32(table, 2, 128) === 128 ? { kind: "decimal", precision, scale } : undefined;
}

/** One child, without NULLs, children and metadata of its own. */
function readList(children: readonly FlatTable[]): ColumnType | undefined {
  const [child, other] = children;
  if (child === undefined || other !== undefined || !isBareChild(child)) return undefined;
  const table = readTable(child, 3);
  if (table === undefined || readText(child, 0, CHILD_NAME_BYTES_MAX) !== ITEM_NAME) return undefined;
  const of = readItemType(readUint8(child, 2), table);
  return of === undefined ? undefined : { kind: "list", of };
}

const isBareChild = (child: FlatTable): boolean =>
  !readBool(child, 1) &&
  readTable(child, 4) === undefined &&
  readTables(child, 5, 0).length === 0 &&
  readTables(child, 6, 0).length === 0;

/** Struct { instant: Timestamp(us or ns), offset_minutes: Int16 }, both without NULLs of their own. */
function readOffsetStruct(children: readonly FlatTable[]): ColumnType | undefined {
  const [instant, offset] = children;
  if (instant === undefined || offset === undefined) return undefined;
  if (!children.every(isBareChild)) return undefined;
  if (readText(instant, 0, CHILD_NAME_BYTES_MAX) !== "instant" || readUint8(instant, 2) !== TYPE.timestamp)
    return undefined;
  if (readText(offset, 0, CHILD_NAME_BYTES_MAX) !== "offset_minutes" || readUint8(offset, 2) !== TYPE.int)
    return undefined;
  const instantType = readTable(instant, 3);
  const offsetType = readTable(offset, 3);
  if (instantType === undefined || readText(instantType, 1, ZONE_BYTES_MAX) !== undefined) return undefined;
  if (offsetType === undefined || readInt32(offsetType, 0) !== 16 || !readBool(offsetType, 1)) return undefined;
  const unit = UNIT_OF_CODE[readInt16(instantType, 0)];
  return unit === "us" || unit === "ns" ? { kind: "timestampOffset", unit } : undefined;
}
