/** Column buffers to exact values that JSON can carry: for inline answers, the NDJSON sink, keys and positions. */

import { bitAt } from "./bits.ts";
import { isoDate, isoDateTime, isoOffset, isoTime } from "./iso.ts";
import type { ColumnView } from "./layout.ts";
import type { ColumnType, TimeUnit } from "./types.ts";

/** Lists are arrays. Int64 and decimals are strings, times ISO text with all digits of their unit, binary base64, UUIDs lower case. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[];
/** The same for positions and keys: every integer is a string, binary is base64url. */
export type KeyValue = string | boolean | null;

const MS_PER_DAY = 86_400_000n;
const UNITS = {
  ms: { digits: 3, perDay: MS_PER_DAY },
  us: { digits: 6, perDay: MS_PER_DAY * 1000n },
  ns: { digits: 9, perDay: MS_PER_DAY * 1_000_000n },
} as const satisfies Record<TimeUnit, { digits: number; perDay: bigint }>;

const floorDivide = (value: bigint, by: bigint): bigint =>
  value >= 0n || value % by === 0n ? value / by : value / by - 1n;

/** Our sources tick in 100 ns, so 7 digits say all; a value of another source keeps its 9. */
const shown = (count: number, digits: number, least: number): readonly [number, number] => {
  if (digits < least) return [count * 10 ** (least - digits), least];
  return digits === 9 && count % 100 === 0 ? [count / 100, 7] : [count, digits];
};

function instantText(value: bigint, unit: TimeUnit, leastDigits: number, offsetMinutes = 0): string {
  const { digits, perDay } = UNITS[unit];
  const days = floorDivide(value, perDay);
  const [count, shownDigits] = shown(Number(value - days * perDay), digits, leastDigits);
  return isoDateTime(Number(days), count + offsetMinutes * 60 * 10 ** shownDigits, shownDigits);
}

/** `-123.4500`: an unscaled integer with `scale` digits after the point. */
export function decimalText(unscaled: bigint, scale: number): string {
  const negative = unscaled < 0n;
  const digits = (negative ? -unscaled : unscaled).toString().padStart(scale + 1, "0");
  const text = scale === 0 ? digits : `${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
  return negative ? `-${text}` : text;
}

function uuidText(bytes: Buffer): string {
  const hex = bytes.toString("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

const floatJson = (value: number): JsonValue =>
  // JSON has neither NaN, infinities nor a negative zero.
  Number.isFinite(value) && !Object.is(value, -0) ? value : Object.is(value, -0) ? "-0" : String(value);

/** Whether a row of a checked column is NULL. */
export const isNull = ({ validity }: ColumnView, row: number): boolean =>
  validity !== undefined && !bitAt(validity, row);

/**
 * A way to read the values of one column, chosen once by its type; `row` from 0, below `view.length`.
 * @param leastDigits of a second in timestamps, up to 7: coarser units get zeros
 */
export function columnReader(view: ColumnView, leastDigits = 0): (row: number) => JsonValue {
  const read = valueReader(view, view.type, leastDigits);
  return view.nullCount === 0 ? read : (row) => (isNull(view, row) ? null : read(row));
}

function valueReader(view: ColumnView, type: ColumnType, leastDigits: number): (row: number) => JsonValue {
  const bytes = Buffer.from(view.data.buffer, view.data.byteOffset, view.data.byteLength);
  const int64 = (row: number): bigint => bytes.readBigInt64LE(row * 8);
  switch (type.kind) {
    case "bool":
      return (row) => (bytes[row >> 3]! & (1 << (row & 7))) !== 0;
    case "int":
      if (type.bits === 64) {
        return type.signed ? (row) => int64(row).toString() : (row) => bytes.readBigUInt64LE(row * 8).toString();
      } else {
        const width = type.bits / 8;
        return type.signed
          ? (row) => bytes.readIntLE(row * width, width)
          : (row) => bytes.readUIntLE(row * width, width);
      }
    case "float":
      return type.bits === 64
        ? (row) => floatJson(bytes.readDoubleLE(row * 8))
        : (row) => floatJson(bytes.readFloatLE(row * 4));
    case "decimal":
      return (row) =>
        decimalText((bytes.readBigInt64LE(row * 16 + 8) << 64n) | bytes.readBigUInt64LE(row * 16), type.scale);
    case "utf8":
      return (row) => bytes.toString("utf8", view.offsets![row], view.offsets![row + 1]);
    case "binary":
      return (row) => bytes.toString("base64", view.offsets![row], view.offsets![row + 1]);
    case "fixedBinary": {
      const width = type.bytes;
      const slice = (row: number) => bytes.subarray(row * width, (row + 1) * width);
      return type.uuid ? (row) => uuidText(slice(row)) : (row) => slice(row).toString("base64");
    }
    case "date":
      return (row) => isoDate(bytes.readInt32LE(row * 4));
    case "time":
      return (row) => isoTime(...shown(Number(int64(row)), 9, 0));
    case "timestamp":
      return (row) => instantText(int64(row), type.unit, leastDigits);
    case "timestampOffset":
      return (row) => {
        const offset = view.offsetMinutes![row]!;
        return instantText(int64(row), type.unit, leastDigits, offset) + isoOffset(offset);
      };
    case "list": {
      const item = valueReader(view.items!, type.of, leastDigits);
      return (row) => {
        const first = view.offsets![row]!;
        return Array.from({ length: view.offsets![row + 1]! - first }, (_, index) => item(first + index));
      };
    }
    default:
      return type satisfies never;
  }
}

/** One value for a key or a position; floats with as many digits as tell them apart. */
export function keyValue(view: ColumnView, row: number): KeyValue {
  const value = columnReader(view)(row);
  if (typeof value === "number") return String(value);
  if (typeof value === "object" && value !== null) throw new TypeError("A list is no key.");
  const isBinary = view.type.kind === "binary" || (view.type.kind === "fixedBinary" && !view.type.uuid);
  return isBinary && typeof value === "string" ? Buffer.from(value, "base64").toString("base64url") : value;
}
