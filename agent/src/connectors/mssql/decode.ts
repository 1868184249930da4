/**
 * One value's bytes, as TDS has them, into its column [MS-TDS 2.2.5.5]. No BigInt, Date or string on the way, but for
 * text of a code page that is not ASCII.
 */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { ColumnBuffer } from "@sallyport/shared/rows/columns.ts";
import { decodePage, isUtf8Page } from "./code-page.ts";
import type { WireColumn } from "./wire.ts";

/** Appends the value in `[start, end)`: the data alone, without its length. */
export type Append = (buffer: Buffer, start: number, end: number) => void;

const DAYS_0001_TO_1970 = 719_162;
const DAYS_1900_TO_1970 = 25_567;
const TICKS_PER_MS = 10_000;
const TICKS_PER_MINUTE = 600_000_000;

/** How the values of a result's column are written into a column of that type; undefined for a type without one. */
export function appenderFor(wire: WireColumn, column: ColumnBuffer): Append | undefined {
  switch (wire.type.name) {
    case "TinyInt":
    case "SmallInt":
    case "Int":
    case "BigInt":
    case "IntN":
      return (buffer, start, end) => appendInteger(column, buffer, start, end);
    case "Bit":
    case "BitN":
      return (buffer, start) => column.appendBool(buffer[start] !== 0);
    case "Real":
    case "Float":
    case "FloatN":
      return (buffer, start, end) =>
        column.appendFloat(end - start === 4 ? buffer.readFloatLE(start) : buffer.readDoubleLE(start));
    case "Money":
    case "SmallMoney":
    case "MoneyN":
      return (buffer, start, end) => appendMoney(column, buffer, start, end);
    case "DecimalN":
    case "NumericN":
      return (buffer, start, end) => appendDecimal(column, buffer, start, end);
    case "UniqueIdentifier":
      return (buffer, start) => column.appendUuid(buffer, start);
    case "NVarChar":
    case "NChar":
    case "NText":
    case "Xml":
      return (buffer, start, end) => column.appendText(buffer, start, end, "utf16le");
    case "VarChar":
    case "Char":
    case "Text":
      return textAppender(wire, column);
    case "VarBinary":
    case "Binary":
    case "Image":
    case "UDT":
      return (buffer, start, end) => column.appendBytes(buffer, start, end);
    default:
      return timeAppender(wire, column);
  }
}

function timeAppender(wire: WireColumn, column: ColumnBuffer): Append | undefined {
  const toTicks = 10 ** (7 - (wire.scale ?? 7));
  switch (wire.type.name) {
    case "DateTime":
    case "SmallDateTime":
    case "DateTimeN":
      return (buffer, start, end) => appendOldDateTime(column, buffer, start, end);
    case "Date":
      return (buffer, start) => column.appendDate(dayAt(buffer, start));
    case "Time":
      return (buffer, start, end) => column.appendTime(unsigned(buffer, start, end) * toTicks);
    case "DateTime2":
      return (buffer, start, end) =>
        column.appendTimestamp(dayAt(buffer, end - 3), unsigned(buffer, start, end - 3) * toTicks);
    case "DateTimeOffset":
      // The instant is in UTC; the offset says only how it is to be shown.
      return (buffer, start, end) =>
        column.appendTimestampOffset(
          dayAt(buffer, end - 5),
          unsigned(buffer, start, end - 5) * toTicks,
          buffer.readInt16LE(end - 2),
        );
    default:
      return undefined;
  }
}

function appendInteger(column: ColumnBuffer, buffer: Buffer, start: number, end: number): void {
  switch (end - start) {
    case 1:
      column.appendInt(buffer[start]!);
      break;
    case 2:
      column.appendInt(buffer.readInt16LE(start));
      break;
    case 4:
      column.appendInt(buffer.readInt32LE(start));
      break;
    default:
      column.appendInt64(buffer.readUInt32LE(start), buffer.readInt32LE(start + 4));
  }
}

/** Ten-thousandths; the eight bytes of `money` begin with the high half. */
function appendMoney(column: ColumnBuffer, buffer: Buffer, start: number, end: number): void {
  if (end - start === 8) {
    column.appendInt64(buffer.readUInt32LE(start + 4), buffer.readInt32LE(start));
    return;
  }
  const value = buffer.readInt32LE(start);
  column.appendInt64(value >>> 0, value < 0 ? -1 : 0);
}

/** A sign, 1 for positive, then the magnitude in one to four words. */
function appendDecimal(column: ColumnBuffer, buffer: Buffer, start: number, end: number): void {
  const at = start + 1;
  const words = (end - at) >> 2;
  column.appendDecimal(
    buffer[start] === 0,
    buffer.readUInt32LE(at),
    words > 1 ? buffer.readUInt32LE(at + 4) : 0,
    words > 2 ? buffer.readUInt32LE(at + 8) : 0,
    words > 3 ? buffer.readUInt32LE(at + 12) : 0,
  );
}

/** `datetime` counts 1/300 s since midnight, which SQL Server shows rounded to ms; `smalldatetime` counts minutes. */
function appendOldDateTime(column: ColumnBuffer, buffer: Buffer, start: number, end: number): void {
  if (end - start === 4) {
    const minutes = buffer.readUInt16LE(start + 2);
    column.appendTimestamp(buffer.readUInt16LE(start) - DAYS_1900_TO_1970, minutes * TICKS_PER_MINUTE);
    return;
  }
  const ms = Math.round((buffer.readUInt32LE(start + 4) * 10) / 3);
  column.appendTimestamp(buffer.readInt32LE(start) - DAYS_1900_TO_1970, ms * TICKS_PER_MS);
}

function textAppender(wire: WireColumn, column: ColumnBuffer): Append {
  const page = wire.collation?.codepage;
  if (isUtf8Page(page)) return (buffer, start, end) => column.appendText(buffer, start, end, "utf8");
  return (buffer, start, end) => {
    if (isAscii(buffer, start, end)) {
      column.appendText(buffer, start, end, "utf8");
      return;
    }
    const text = decodePage(page, buffer.subarray(start, end));
    if (text === undefined) {
      const { name, source } = column.column;
      throw new SallyportError(
        "value.not_exact",
        `A text of column ${name} (${source}) is not valid in its code page, or the code page ${page ?? "of its collation"} is not known here; CAST it to nvarchar.`,
        { column: name, source, codePage: page ?? "unknown" },
      );
    }
    column.appendString(text);
  };
}

function isAscii(buffer: Buffer, start: number, end: number): boolean {
  for (let at = start; at < end; at++) if (buffer[at]! > 0x7f) return false;
  return true;
}

/** Three to five bytes, lowest first. */
function unsigned(buffer: Buffer, start: number, end: number): number {
  let value = 0;
  for (let at = end - 1; at >= start; at--) value = value * 256 + buffer[at]!;
  return value;
}

/** Three bytes: days since 0001-01-01, given as days since 1970-01-01. */
const dayAt = (buffer: Buffer, start: number): number =>
  (buffer[start]! | (buffer[start + 1]! << 8) | (buffer[start + 2]! << 16)) - DAYS_0001_TO_1970;
