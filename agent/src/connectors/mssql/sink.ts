/**
 * Where the driver's values go instead of into JavaScript objects: one sink a column. It finds where a value begins and
 * ends in the received bytes and writes it on; it never throws but the driver's own "not enough data yet".
 */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { ColumnBuffer } from "@sallyport/shared/rows/columns.ts";
import helpers from "tedious/lib/token/helpers.js";
import type { Append } from "./decode.ts";
import type { Guard } from "./guard.ts";
import type { WireColumn } from "./wire.ts";

export interface ValueSink {
  /** Reads the value at `offset`; @returns where it ends. Nothing is written before all of it is there. */
  read(buffer: Buffer, offset: number): number;
  /** A NULL that has no bytes of its own. */
  readNull(): void;
  /** A value that came in pieces. */
  readLarge(bytes: Buffer): void;
  /** From this many bytes on a value in pieces is refused and its rest is not kept. */
  readonly largeBytes: number;
  refuseLarge(): void;
  /** The bytes of the last value, where the sink was told to remember them. */
  last(): { readonly buffer: Buffer; readonly start: number; readonly end: number };
}

const FIXED_BYTES: Readonly<Record<string, number>> = {
  TinyInt: 1,
  Bit: 1,
  SmallInt: 2,
  Int: 4,
  Real: 4,
  SmallMoney: 4,
  SmallDateTime: 4,
  BigInt: 8,
  Float: 8,
  Money: 8,
  DateTime: 8,
};
const SHORT_LENGTH = new Set(["VarChar", "Char", "NVarChar", "NChar", "VarBinary", "Binary"]);
const TEXT_POINTER = new Set(["Text", "NText", "Image"]);
const NULL_SHORT = 0xffff;
const POINTER_TIMESTAMP_BYTES = 8;
const EMPTY = Buffer.alloc(0);

/** The column's values are written by `append`; `column` is undefined for one that is read for its position only. */
export function createSink(
  wire: WireColumn,
  column: ColumnBuffer | undefined,
  append: Append | undefined,
  options: { readonly guard: Guard; readonly remember: boolean; readonly cellBytes: number },
): ValueSink {
  const { guard, remember, cellBytes } = options;
  const { name } = wire.type;
  let lastBuffer: Buffer = EMPTY;
  let lastStart = 0;
  let lastEnd = 0;

  const write = (buffer: Buffer, start: number, end: number): number => {
    if (end > buffer.length) throw new helpers.NotEnoughDataError(end);
    if (remember) {
      lastBuffer = buffer;
      lastStart = start;
      lastEnd = end;
    }
    if (append !== undefined && !guard.failed) {
      try {
        append(buffer, start, end);
      } catch (error) {
        guard.fail(error);
      }
    }
    return end;
  };
  const readNull = (): void => {
    if (column === undefined || guard.failed) return;
    try {
      column.appendNull();
    } catch (error) {
      guard.fail(error);
    }
  };
  return {
    read: readerFor(wire, write, readNull),
    readNull,
    readLarge: (bytes) => void write(bytes, 0, bytes.length),
    // A UTF-16 unit of two bytes is at least one byte of UTF-8.
    largeBytes: cellBytes * (name === "NVarChar" || name === "Xml" ? 2 : 1),
    refuseLarge() {
      guard.fail(
        new SallyportError("limit.bytes", `A value of column ${wire.colName} has more than ${cellBytes} bytes.`, {
          column: wire.colName,
          limit: "cellBytes",
          bytes: cellBytes,
        }),
      );
    },
    last: () => ({ buffer: lastBuffer, start: lastStart, end: lastEnd }),
  };
}

/** How the length stands before a value of that wire type [MS-TDS 2.2.5.2.3]. */
function readerFor(
  wire: WireColumn,
  write: (buffer: Buffer, start: number, end: number) => number,
  readNull: () => void,
): ValueSink["read"] {
  const { name } = wire.type;
  const fixed = FIXED_BYTES[name];
  if (fixed !== undefined) return (buffer, offset) => write(buffer, offset, offset + fixed);
  if (SHORT_LENGTH.has(name)) {
    return (buffer, offset) => {
      if (buffer.length < offset + 2) throw new helpers.NotEnoughDataError(offset + 2);
      const length = buffer[offset]! | (buffer[offset + 1]! << 8);
      if (length !== NULL_SHORT) return write(buffer, offset + 2, offset + 2 + length);
      readNull();
      return offset + 2;
    };
  }
  const byteLength = (buffer: Buffer, offset: number): number => {
    if (buffer.length < offset + 1) throw new helpers.NotEnoughDataError(offset + 1);
    return buffer[offset]!;
  };
  if (TEXT_POINTER.has(name)) {
    return (buffer, offset) => {
      const pointer = byteLength(buffer, offset);
      if (pointer === 0) {
        readNull();
        return offset + 1;
      }
      const at = offset + 1 + pointer + POINTER_TIMESTAMP_BYTES;
      if (buffer.length < at + 4) throw new helpers.NotEnoughDataError(at + 4);
      return write(buffer, at + 4, at + 4 + buffer.readUInt32LE(at));
    };
  }
  const [exactly, also] = lengthsOf(wire);
  return (buffer, offset) => {
    const length = byteLength(buffer, offset);
    if (length === 0) {
      readNull();
      return offset + 1;
    }
    // The driver turns a throw from here into a lost connection, which a stream out of step is.
    if (length !== exactly && !also.includes(length)) throw new Error(`a value of type ${name} has ${length} bytes`);
    return write(buffer, offset + 1, offset + 1 + length);
  };
}

const timeBytes = (scale = 7): number => (scale < 3 ? 3 : scale < 5 ? 4 : 5);
const DECIMAL_BYTES = [5, 9, 13, 17];

/** How long a value with one byte of length can be [MS-TDS 2.2.5.4.2]. */
function lengthsOf({ type, dataLength = 0, scale }: WireColumn): readonly [number, readonly number[]] {
  switch (type.name) {
    case "DecimalN":
    case "NumericN":
      return [dataLength, DECIMAL_BYTES];
    case "Date":
      return [3, []];
    case "Time":
      return [timeBytes(scale), []];
    case "DateTime2":
      return [timeBytes(scale) + 3, []];
    case "DateTimeOffset":
      return [timeBytes(scale) + 5, []];
    default:
      return [dataLength, []];
  }
}
