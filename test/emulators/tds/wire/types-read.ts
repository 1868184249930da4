/** Types and values as clients send them: RPC parameters and bulk rows [MS-TDS 2.2.5.4 to 2.2.5.6]. */
import { decodeText } from "../values/code-page.ts";
import { packDecimal } from "../values/decimal.ts";
import { sqlError } from "../values/errors.ts";
import { sortableGuid } from "../values/guid.ts";
import { packOffset, TICKS_A_DAY } from "../values/time.ts";
import {
  COLLATIONS,
  type Collation,
  DEFAULT_COLLATION,
  MAX,
  type SqlType,
  type SqlValue,
  sqlType,
  type TypeName,
} from "../values/type.ts";
import { f32, f64, i16, i32, i64, type Reader, take, u8, u16, u32, u64, unsigned } from "./reader.ts";

export interface WireType {
  readonly type: SqlType;
  readonly read: (reader: Reader) => SqlValue;
  /** text, ntext and image: a bulk row puts a text pointer before the value, COLMETADATA a table name before the name. */
  readonly pointer: boolean;
}

const FIXED: Readonly<Record<number, readonly [TypeName, number]>> = {
  48: ["tinyint", 1],
  50: ["bit", 1],
  52: ["smallint", 2],
  56: ["int", 4],
  58: ["smalldatetime", 4],
  59: ["real", 4],
  60: ["money", 8],
  61: ["datetime", 8],
  62: ["float", 8],
  122: ["smallmoney", 4],
  127: ["bigint", 8],
};

const BY_SIZE: Readonly<Record<number, Readonly<Record<number, TypeName>>>> = {
  38: { 1: "tinyint", 2: "smallint", 4: "int", 8: "bigint" },
  104: { 1: "bit" },
  109: { 4: "real", 8: "float" },
  110: { 4: "smallmoney", 8: "money" },
  111: { 4: "smalldatetime", 8: "datetime" },
};

/** TYPE_INFO. Throws RangeError for a type that no client of ours sends. */
export function readTypeInfo(reader: Reader): WireType {
  const id = u8(reader);
  const fixed = FIXED[id];
  if (fixed !== undefined) return plain(sqlType(fixed[0]), (r) => scalar(r, fixed[0], fixed[1]));
  const bySize = BY_SIZE[id];
  if (bySize !== undefined) return sizedType(u8(reader), bySize);
  switch (id) {
    case 0x1f:
      return plain(sqlType("int"), () => null);
    case 0x24:
      u8(reader);
      return plain(sqlType("uniqueidentifier"), (r) => sized(r, (size) => sortableGuid(take(r, size))));
    case 0x6a:
    case 0x6c: {
      u8(reader);
      const [precision, scale] = [u8(reader), u8(reader)];
      return plain(sqlType(id === 0x6a ? "decimal" : "numeric", { precision, scale }), (r) =>
        sized(r, (n) => decimal(r, n)),
      );
    }
    case 0x28:
      return plain(sqlType("date"), (r) => sized(r, () => unsigned(r, 3)));
    case 0x29:
    case 0x2a:
    case 0x2b:
      return scaledTime(id, u8(reader));
    default:
      return variable(reader, id);
  }
}

const plain = (type: SqlType, read: WireType["read"]): WireType => ({ type, read, pointer: false });

function sizedType(size: number, names: Readonly<Record<number, TypeName>>): WireType {
  const name = names[size];
  if (name === undefined) throw new RangeError(`a type of ${size} bytes`);
  return plain(sqlType(name), (r) => sized(r, (n) => scalar(r, names[n] ?? name, n)));
}

function sized(reader: Reader, read: (size: number) => SqlValue): SqlValue {
  const size = u8(reader);
  return size === 0 ? null : read(size);
}

function scalar(reader: Reader, name: TypeName, size: number): SqlValue {
  switch (name) {
    case "tinyint":
      return u8(reader);
    case "bit":
      return u8(reader) === 0 ? 0 : 1;
    case "smallint":
      return i16(reader);
    case "int":
    case "smallmoney":
      return i32(reader);
    case "bigint":
      return i64(reader);
    case "real":
      return f32(reader);
    case "float":
      return f64(reader);
    case "money": {
      const high = i32(reader);
      return (BigInt(high) << 32n) | BigInt(u32(reader));
    }
    case "smalldatetime": {
      const days = u16(reader);
      return days * 1440 + u16(reader);
    }
    case "datetime": {
      const days = i32(reader);
      return days * 25_920_000 + u32(reader);
    }
    default:
      throw new RangeError(`${name} of ${size} bytes`);
  }
}

function decimal(reader: Reader, size: number): Uint8Array {
  const negative = u8(reader) === 0;
  const digits = take(reader, size - 1);
  let unscaled = 0n;
  for (let at = digits.length - 1; at >= 0; at--) unscaled = (unscaled << 8n) | BigInt(digits[at] ?? 0);
  return packDecimal(negative ? -unscaled : unscaled);
}

function scaledTime(id: number, scale: number): WireType {
  if (scale > 7) throw new RangeError(`a scale of ${scale}`);
  const unit = 10 ** (7 - scale);
  const type = sqlType(id === 0x29 ? "time" : id === 0x2a ? "datetime2" : "datetimeoffset", { scale });
  const more = id === 0x29 ? 0 : id === 0x2a ? 3 : 5;
  return plain(type, (r) =>
    sized(r, (size) => {
      const ticks = unsigned(r, size - more) * unit;
      if (id === 0x29) return ticks;
      const days = unsigned(r, 3);
      if (id === 0x2a) return BigInt(days) * BigInt(TICKS_A_DAY) + BigInt(ticks);
      const offsetMinutes = i16(r);
      // The wire has UTC; a moment has local time.
      return packOffset({ days, ticks: ticks + offsetMinutes * 600_000_000, offsetMinutes });
    }),
  );
}

function readCollation(reader: Reader): Collation {
  const wire = take(reader, 5);
  return COLLATIONS.find((c) => c.wire.every((byte, at) => byte === wire[at])) ?? utf8Or(DEFAULT_COLLATION, wire);
}

// An unknown collation still says by one bit whether its text is UTF-8.
const utf8Or = (otherwise: Collation, wire: Buffer): Collation =>
  ((wire[3] ?? 0) & 0x04) !== 0 ? (COLLATIONS.find((c) => c.encoding === "utf-8") ?? otherwise) : otherwise;

function variable(reader: Reader, id: number): WireType {
  switch (id) {
    case 0xe7:
    case 0xef:
      return characters(reader, id === 0xe7 ? "nvarchar" : "nchar", 2);
    case 0xa7:
    case 0xaf:
      return characters(reader, id === 0xa7 ? "varchar" : "char", 1);
    case 0xa5:
    case 0xad: {
      const size = u16(reader);
      const type = sqlType(id === 0xa5 ? "varbinary" : "binary", { length: size === 0xffff ? MAX : Math.max(1, size) });
      return plain(type, size === 0xffff ? (r) => chunked(r) : (r) => counted(r));
    }
    case 0x22:
      u32(reader);
      return { type: sqlType("image"), read: (r) => long(r), pointer: true };
    case 0x23:
    case 0x63: {
      u32(reader);
      const collation = readCollation(reader);
      const type = sqlType(id === 0x23 ? "text" : "ntext", { collation });
      return { type, read: (r) => asText(long(r), id === 0x63, collation), pointer: true };
    }
    case 0xf1:
      if (u8(reader) !== 0) throw new RangeError("an XML schema");
      return plain(sqlType("xml"), (r) => asText(chunked(r), true, DEFAULT_COLLATION));
    default:
      throw new RangeError(`type 0x${id.toString(16)}`);
  }
}

function characters(reader: Reader, name: TypeName, width: 1 | 2): WireType {
  const size = u16(reader);
  const collation = readCollation(reader);
  const length = size === 0xffff ? MAX : Math.max(1, size / width);
  const type = sqlType(name, { length, collation });
  const padded = name === "char" || name === "nchar";
  const read = (r: Reader): SqlValue => {
    const text = asText(size === 0xffff ? chunked(r) : counted(r), width === 2, collation);
    return padded && typeof text === "string" ? text.trimEnd() : text;
  };
  return plain(type, read);
}

const asText = (bytes: Buffer | null, unicode: boolean, collation: Collation): SqlValue =>
  bytes === null ? null : unicode ? bytes.toString("utf16le") : decodeText(bytes, collation.encoding);

function counted(reader: Reader): Buffer | null {
  const size = u16(reader);
  return size === 0xffff ? null : Buffer.from(take(reader, size));
}

function long(reader: Reader): Buffer | null {
  const size = u32(reader);
  return size === 0xffff_ffff ? null : Buffer.from(take(reader, size));
}

const NULL_PLP = 0xffff_ffff_ffff_ffffn;

// Partially length-prefixed: chunks until an empty one. Throws error 4815 when they do not add up.
function chunked(reader: Reader): Buffer | null {
  const total = u64(reader);
  if (total === NULL_PLP) return null;
  const chunks: Buffer[] = [];
  for (;;) {
    const size = u32(reader);
    if (size === 0) break;
    chunks.push(take(reader, size));
  }
  const whole = Buffer.concat(chunks);
  if (total < 0xffff_ffff_ffff_fffen && BigInt(whole.length) !== total) throw sqlError(4815, 1);
  return whole;
}

/** text, ntext and image in a bulk row: a text pointer and a timestamp come first, or an empty pointer for NULL. */
export function readPointed(reader: Reader, wire: WireType): SqlValue {
  if (!wire.pointer) return wire.read(reader);
  const pointer = u8(reader);
  if (pointer === 0) return null;
  take(reader, pointer + 8);
  return wire.read(reader);
}
