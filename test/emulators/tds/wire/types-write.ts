/** Types and values as the server sends them: COLMETADATA and rows, straight into the writer's buffer. */
import { encodeText } from "../values/code-page.ts";
import { decimalBytes, formatDecimal, unpackDecimal } from "../values/decimal.ts";
import { wireGuid } from "../values/guid.ts";
import { partsOf } from "../values/parts.ts";
import { unpackOffset } from "../values/time.ts";
import { isUnicode, MAX, type SqlType, type SqlValue } from "../values/type.ts";
import { bytes, ensure, u8, u16, u32, u64, ucs2, type Writer } from "./writer.ts";

/** Writes the value that stands in the row from `at`; it is not null. */
export type Encode = (writer: Writer, row: readonly SqlValue[], at: number) => void;

export interface Encoder {
  readonly typeInfo: (writer: Writer) => void;
  readonly value: Encode;
  readonly null: (writer: Writer) => void;
  /** How many columns of SQLite's row it takes. */
  readonly parts: number;
}

type Shape = Omit<Encoder, "parts">;

/** `textSizeBytes` is SET TEXTSIZE: long values are cut there. */
export function encoderOf(type: SqlType, textSizeBytes: number): Encoder {
  return { ...shapeOf(type, textSizeBytes), parts: partsOf(type, "").length };
}

const zero = (writer: Writer): void => u8(writer, 0);

function fixed(
  id: number,
  size: number,
  write: (buffer: Buffer, at: number, first: number, second: number) => void,
): Shape {
  return {
    typeInfo: (writer) => bytes(writer, [id, size]),
    null: zero,
    value: (writer, row, at) => {
      ensure(writer, size + 1);
      writer.buffer[writer.at] = size;
      write(writer.buffer, writer.at + 1, row[at] as number, row[at + 1] as number);
      writer.at += size + 1;
    },
  };
}

function shapeOf(type: SqlType, textSize: number): Shape {
  switch (type.name) {
    case "bit":
      return fixed(0x68, 1, (b, at, v) => b.writeUInt8(v, at));
    case "tinyint":
      return fixed(0x26, 1, (b, at, v) => b.writeUInt8(v, at));
    case "smallint":
      return fixed(0x26, 2, (b, at, v) => b.writeInt16LE(v, at));
    case "int":
      return fixed(0x26, 4, (b, at, v) => b.writeInt32LE(v, at));
    case "bigint":
      return fixed(0x26, 8, (b, at, high, low) => {
        b.writeUInt32LE(low, at);
        b.writeInt32LE(high, at + 4);
      });
    case "real":
      return fixed(0x6d, 4, (b, at, v) => b.writeFloatLE(v, at));
    case "float":
      return fixed(0x6d, 8, (b, at, v) => b.writeDoubleLE(v, at));
    case "smallmoney":
      return fixed(0x6e, 4, (b, at, v) => b.writeInt32LE(v, at));
    case "money":
      return fixed(0x6e, 8, (b, at, high, low) => {
        b.writeInt32LE(high, at);
        b.writeUInt32LE(low, at + 4);
      });
    case "datetime":
      return fixed(0x6f, 8, (b, at, days, thirds) => {
        b.writeInt32LE(days, at);
        b.writeUInt32LE(thirds, at + 4);
      });
    case "smalldatetime":
      return fixed(0x6f, 4, (b, at, v) => {
        b.writeUInt16LE(Math.floor(v / 1440), at);
        b.writeUInt16LE(v % 1440, at + 2);
      });
    case "date":
      return { ...fixed(0x28, 3, (b, at, v) => b.writeUIntLE(v, at, 3)), typeInfo: (writer) => u8(writer, 0x28) };
    case "time":
    case "datetime2":
    case "datetimeoffset":
      return timeShape(type);
    case "decimal":
    case "numeric":
      return decimalShape(type);
    case "uniqueidentifier":
      return {
        typeInfo: (writer) => bytes(writer, [0x24, 16]),
        null: zero,
        value: (writer, row, at) => {
          u8(writer, 16);
          bytes(writer, wireGuid(row[at] as Uint8Array));
        },
      };
    case "rowversion":
      return {
        typeInfo: (writer) => bytes(writer, [0xad, 8, 0]),
        null: (writer) => u16(writer, 0xffff),
        value: (writer, row, at) => {
          ensure(writer, 10);
          const { buffer } = writer;
          buffer.writeUInt16LE(8, writer.at);
          buffer.writeInt32BE(row[at] as number, writer.at + 2);
          buffer.writeUInt32BE(row[at + 1] as number, writer.at + 6);
          writer.at += 10;
        },
      };
    default:
      return variableShape(type, textSize);
  }
}

function timeShape(type: SqlType): Shape {
  const { scale, name } = type;
  const size = scale < 3 ? 3 : scale < 5 ? 4 : 5;
  const unit = 10 ** (7 - scale);
  if (name === "time") {
    const shape = fixed(0x29, size, (b, at, ticks) => b.writeUIntLE(Math.floor(ticks / unit), at, size));
    return { ...shape, typeInfo: (writer) => bytes(writer, [0x29, scale]) };
  }
  if (name === "datetime2") {
    const shape = fixed(0x2a, size + 3, (b, at, days, ticks) => {
      b.writeUIntLE(Math.floor(ticks / unit), at, size);
      b.writeUIntLE(days, at + size, 3);
    });
    return { ...shape, typeInfo: (writer) => bytes(writer, [0x2a, scale]) };
  }
  return {
    typeInfo: (writer) => bytes(writer, [0x2b, scale]),
    null: zero,
    value: (writer, row, at) => {
      const packed = Buffer.from(row[at] as Uint8Array);
      const utc = packed.readBigInt64BE(0);
      const { offsetMinutes } = unpackOffset(packed);
      ensure(writer, size + 6);
      const { buffer } = writer;
      buffer[writer.at] = size + 5;
      buffer.writeUIntLE(Math.floor(Number(utc % 864_000_000_000n) / unit), writer.at + 1, size);
      buffer.writeUIntLE(Number(utc / 864_000_000_000n), writer.at + 1 + size, 3);
      buffer.writeInt16LE(offsetMinutes, writer.at + 4 + size);
      writer.at += size + 6;
    },
  };
}

function decimalShape(type: SqlType): Shape {
  const { precision, scale } = type;
  const size = decimalBytes(precision);
  return {
    typeInfo: (writer) => bytes(writer, [type.name === "decimal" ? 0x6a : 0x6c, size, precision, scale]),
    null: zero,
    value: (writer, row, at) => {
      const unscaled = unpackDecimal(row[at] as Uint8Array);
      let magnitude = unscaled < 0n ? -unscaled : unscaled;
      if (magnitude >> BigInt((size - 1) * 8) !== 0n) throw new RangeError(formatDecimal(unscaled, scale));
      ensure(writer, size + 1);
      const { buffer } = writer;
      buffer[writer.at] = size;
      buffer[writer.at + 1] = unscaled < 0n ? 0 : 1;
      for (let n = 2; n <= size; n += 4) {
        buffer.writeUInt32LE(Number(magnitude & 0xffff_ffffn), writer.at + n);
        magnitude >>= 32n;
      }
      writer.at += size + 1;
    },
  };
}

const longNull = (writer: Writer): void => u64(writer, 0xffff_ffff_ffff_ffffn);

function variableShape(type: SqlType, textSize: number): Shape {
  const toBytes = bytesOf(type);
  const cut = (value: SqlValue): Uint8Array => {
    const whole = toBytes(value);
    return whole.length > textSize ? whole.subarray(0, textSize - (isUnicode(type) ? textSize % 2 : 0)) : whole;
  };
  const { wire } = type.collation;
  switch (type.name) {
    case "xml":
      return {
        typeInfo: (w) => bytes(w, [0xf1, 0]),
        null: longNull,
        value: (w, row, at) => chunked(w, cut(row[at] ?? null)),
      };
    case "text":
    case "ntext":
    case "image":
      return {
        typeInfo: (w) => {
          bytes(w, [type.name === "text" ? 0x23 : type.name === "ntext" ? 0x63 : 0x22, 0xff, 0xff, 0xff, 0x7f]);
          if (type.name !== "image") bytes(w, wire);
          // The table's name, in parts: none is known here.
          bytes(w, [1, 0, 0]);
        },
        null: zero,
        value: (w, row, at) => {
          const value = cut(row[at] ?? null);
          bytes(w, TEXT_POINTER);
          u32(w, value.length);
          bytes(w, value);
        },
      };
    default:
      break;
  }
  const id = VARIABLE[type.name] ?? 0xe7;
  const text = type.name.endsWith("char");
  const long = type.length === MAX;
  const size = long ? 0xffff : isUnicode(type) ? type.length * 2 : type.length;
  const typeInfo = (w: Writer): void => {
    u8(w, id);
    u16(w, size);
    if (text) bytes(w, wire);
  };
  if (long) return { typeInfo, null: longNull, value: (w, row, at) => chunked(w, cut(row[at] ?? null)) };
  const none = (w: Writer): void => u16(w, 0xffff);
  if (type.name === "nvarchar") {
    const value: Encode = (w, row, at) => {
      const s = row[at] as string;
      u16(w, s.length * 2);
      ucs2(w, s);
    };
    return { typeInfo, null: none, value };
  }
  const value: Encode = (w, row, at) => {
    const of = toBytes(row[at] ?? null);
    u16(w, of.length);
    bytes(w, of);
  };
  return { typeInfo, null: none, value };
}

const VARIABLE: Partial<Record<SqlType["name"], number>> = {
  nvarchar: 0xe7,
  nchar: 0xef,
  varchar: 0xa7,
  char: 0xaf,
  varbinary: 0xa5,
  binary: 0xad,
};

// Sixteen bytes of pointer and eight of timestamp: clients step over them.
const TEXT_POINTER = [16, ...Buffer.from("dummy textptr\0\0\0dummyTS\0", "latin1")];

function bytesOf(type: SqlType): (value: SqlValue) => Uint8Array {
  const { encoding } = type.collation;
  switch (type.name) {
    case "nchar":
      return (value) => Buffer.from(String(value).padEnd(type.length), "utf16le");
    case "char":
      return (value) => padded(encodeText(String(value), encoding), type.length);
    case "varchar":
    case "text":
      return (value) => encodeText(String(value), encoding);
    case "binary":
    case "varbinary":
    case "image":
      return (value) => value as Uint8Array;
    default:
      return (value) => Buffer.from(String(value), "utf16le");
  }
}

function padded(text: Buffer, length: number): Buffer {
  if (text.length >= length) return text;
  const whole = Buffer.alloc(length, 0x20);
  text.copy(whole);
  return whole;
}

const CHUNK_BYTES = 65_536;

function chunked(writer: Writer, value: Uint8Array): void {
  u64(writer, BigInt(value.length));
  for (let from = 0; from < value.length; from += CHUNK_BYTES) {
    const chunk = value.subarray(from, from + CHUNK_BYTES);
    u32(writer, chunk.length);
    bytes(writer, chunk);
  }
  u32(writer, 0);
}
