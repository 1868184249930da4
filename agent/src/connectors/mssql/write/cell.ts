/** One column of a batch, value by value, into rows for the server: exactly, or refused. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { ColumnView } from "@sallyport/shared/rows/layout.ts";
import { isNull } from "@sallyport/shared/rows/to-json.ts";
import { sqlServerTypeText } from "@sallyport/shared/rows/types.ts";
import { pageBytes } from "./code-page-text.ts";
import { type Exact, exactReader, type Moment, momentReader, rescaled, textOf } from "./read-value.ts";
import type { RowBytes } from "./row-bytes.ts";
import { BINARY, type TargetColumn, TEXT, wireOf } from "./target-column.ts";
import {
  putBytes,
  putDate,
  putDateTime,
  putDateTime2,
  putDateTimeOffset,
  putDecimal,
  putFloat,
  putInteger,
  putMoney,
  putNull,
  putNullBytes,
  putSmallDateTime,
  putText,
  putTime,
  putUuid,
  Unfit,
} from "./wire-value.ts";

/** Writes the value of a row. @throws Unfit */
export type PutCell = (row: number) => void;

/**
 * How the values of a column are written into a column of the target, chosen once for a batch.
 * @throws request.invalid where values of that kind never are values of the target's type
 */
export function cellWriter(out: RowBytes, view: ColumnView, target: TargetColumn): PutCell {
  const put = valueWriter(out, view, target);
  if (put === undefined) {
    const source = sqlServerTypeText(target.declared);
    throw new SallyportError("request.invalid", `Column ${target.name} (${source}) takes no ${view.type.kind}.`, {
      column: target.name,
      source,
    });
  }
  const { isMax } = wireOf(target);
  const isLong = TEXT.has(target.declared.name) || BINARY.has(target.declared.name);
  const putNothing = isLong ? () => putNullBytes(out, isMax) : () => putNull(out);
  if (!target.nullable) {
    return (row) => {
      if (isNull(view, row)) throw new Unfit("is NULL, which the column does not take");
      put(row);
    };
  }
  return view.nullCount === 0 ? put : (row) => (isNull(view, row) ? putNothing() : put(row));
}

const INTEGER_BYTES: Readonly<Record<string, 1 | 2 | 4 | 8>> = { tinyint: 1, smallint: 2, int: 4, bigint: 8 };

function valueWriter(out: RowBytes, view: ColumnView, target: TargetColumn): PutCell | undefined {
  const { name } = target.declared;
  const integer = INTEGER_BYTES[name];
  if (integer !== undefined) return integerWriter(out, view, integer);
  if (TEXT.has(name)) return textWriter(out, view, target);
  if (BINARY.has(name)) return binaryWriter(out, view, target);
  switch (name) {
    case "bit":
      return bitWriter(out, view);
    case "real":
    case "float":
      return floatWriter(out, view, name === "real" ? 4 : 8);
    case "uniqueidentifier":
      return uuidWriter(out, view);
    case "decimal":
    case "numeric":
    case "money":
    case "smallmoney":
      return decimalWriter(out, view, target);
    default:
      return momentWriter(out, view, target);
  }
}

/** Bytes as they are where source and target have the same width; by value where they differ. */
function integerWriter(out: RowBytes, view: ColumnView, bytes: 1 | 2 | 4 | 8): PutCell | undefined {
  const { type, data } = view;
  if (type.kind === "int" && type.bits === bytes * 8 && type.signed === bytes > 1) {
    return (row) => {
      out.reserve(9);
      const { buffer } = out;
      let { at } = out;
      buffer[at++] = bytes;
      for (let from = row * bytes; from < (row + 1) * bytes; from++) buffer[at++] = data[from]!;
      out.at = at;
    };
  }
  const read = exactReader(view);
  const value: Exact = { unscaled: 0n, scale: 0 };
  if (read === undefined) return undefined;
  return (row) => {
    read(row, value);
    putInteger(out, bytes, rescaled(value, 0));
  };
}

function decimalWriter(out: RowBytes, view: ColumnView, { declared }: TargetColumn): PutCell | undefined {
  const read = exactReader(view);
  const value: Exact = { unscaled: 0n, scale: 0 };
  if (read === undefined) return undefined;
  const moneyBytes = declared.name === "money" ? 8 : declared.name === "smallmoney" ? 4 : undefined;
  if (moneyBytes !== undefined) {
    return (row) => {
      read(row, value);
      putMoney(out, moneyBytes, rescaled(value, 4));
    };
  }
  const { precision = 18, scale = 0 } = declared;
  return (row) => {
    read(row, value);
    putDecimal(out, precision, rescaled(value, scale));
  };
}

function bitWriter(out: RowBytes, view: ColumnView): PutCell | undefined {
  const { type, data } = view;
  const put = (value: number): void => {
    out.reserve(2);
    out.buffer[out.at++] = 1;
    out.buffer[out.at++] = value;
  };
  if (type.kind === "bool") return (row) => put((data[row >> 3]! >> (row & 7)) & 1);
  if (type.kind !== "utf8") return undefined;
  const text = textOf(view);
  return (row) => {
    const word = text(row);
    if (!/^(0|1|true|false)$/.test(word)) throw new Unfit("is neither true nor false");
    put(word === "1" || word === "true" ? 1 : 0);
  };
}

function floatWriter(out: RowBytes, view: ColumnView, bytes: 4 | 8): PutCell | undefined {
  const { type } = view;
  const data = Buffer.from(view.data.buffer, view.data.byteOffset, view.data.byteLength);
  if (type.kind === "float") {
    return type.bits === 32
      ? (row) => putFloat(out, bytes, data.readFloatLE(row * 4))
      : (row) => putFloat(out, bytes, data.readDoubleLE(row * 8));
  }
  if (type.kind !== "utf8") return undefined;
  const text = textOf(view);
  return (row) => {
    const word = text(row);
    if (!/^[+-]?[0-9]{1,400}(\.[0-9]{1,400})?([eE][+-]?[0-9]{1,4})?$/.test(word)) throw new Unfit("is no number");
    putFloat(out, bytes, bytes === 4 ? Math.fround(Number(word)) : Number(word));
  };
}

function uuidWriter(out: RowBytes, view: ColumnView): PutCell | undefined {
  const { type, data } = view;
  if (type.kind === "fixedBinary" && type.bytes === 16) return (row) => putUuid(out, data, row * 16);
  if (type.kind !== "utf8") return undefined;
  const text = textOf(view);
  return (row) => {
    const word = text(row);
    if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(word)) throw new Unfit("is no UUID");
    putUuid(out, Buffer.from(word.replaceAll("-", ""), "hex"), 0);
  };
}

function textWriter(out: RowBytes, view: ColumnView, target: TargetColumn): PutCell | undefined {
  if (view.type.kind !== "utf8") return undefined;
  const { declared, codePage } = target;
  const { isMax } = wireOf(target);
  const bytes = Buffer.from(view.data.buffer, view.data.byteOffset, view.data.byteLength);
  const offsets = view.offsets!;
  const most = declared.name === "sysname" ? 128 : declared.length;
  const mostLength = typeof most === "number" ? most : Number.POSITIVE_INFINITY;
  const inPage = codePage === undefined ? undefined : pageBytes(codePage);
  return (row) => {
    const [start, end] = [offsets[row]!, offsets[row + 1]!];
    const begun = out.at;
    const units = putText(out, isMax, bytes, start, end);
    // As many characters as bytes: they are ASCII, which is one byte in every page.
    const length = inPage === undefined || units === end - start ? units : inPage(bytes.toString("utf8", start, end));
    if (length !== undefined && length <= mostLength) return;
    out.at = begun;
    throw new Unfit(length === undefined ? "has a character that its code page has not" : "is too long for it");
  };
}

function binaryWriter(out: RowBytes, view: ColumnView, target: TargetColumn): PutCell | undefined {
  const { type, data } = view;
  const { isMax } = wireOf(target);
  const { name, length } = target.declared;
  const most = typeof length === "number" ? length : Number.POSITIVE_INFINITY;
  const put = (start: number, end: number): void => {
    if (end - start > most) throw new Unfit("is too long for it");
    if (name === "binary" && end - start < most) throw new Unfit("is shorter: the server would fill it with zeros");
    putBytes(out, isMax, data, start, end);
  };
  if (type.kind === "binary") return (row) => put(view.offsets![row]!, view.offsets![row + 1]!);
  if (type.kind === "fixedBinary") return (row) => put(row * type.bytes, (row + 1) * type.bytes);
  return undefined;
}

/** Which kinds of a source mean a moment of the target's type; a text may be any. */
const MOMENTS: Readonly<Record<string, readonly string[]>> = {
  date: ["date"],
  time: ["time"],
  datetime: ["timestamp", "date"],
  smalldatetime: ["timestamp", "date"],
  datetime2: ["timestamp", "date"],
  datetimeoffset: ["timestampOffset"],
};

/** What the text of a moment must have: a date, a time, an offset. */
const WRITTEN: Readonly<Record<string, RegExp>> = {
  date: /^[0-9]{4}-[0-9]{2}-[0-9]{2}$/,
  time: /^[0-9]{2}:[0-9]{2}[0-9:.]*$/,
  datetimeoffset: /[T ].*(Z|[+-][0-9]{2}:[0-9]{2})$/,
};
const WITHOUT_OFFSET = /^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.]+)?$/;

function momentWriter(out: RowBytes, view: ColumnView, { declared }: TargetColumn): PutCell | undefined {
  const { name, scale = 7 } = declared;
  const { kind } = view.type;
  const read = momentReader(view);
  if (read === undefined || (kind !== "utf8" && !MOMENTS[name]?.includes(kind))) return undefined;
  const moment: Moment = { days: 0, ticks: 0, offset: 0 };
  const put = (): void => {
    const { days, ticks, offset } = moment;
    if (name === "date") putDate(out, days);
    else if (name === "time") putTime(out, scale, ticks);
    else if (name === "datetime") putDateTime(out, days, ticks);
    else if (name === "smalldatetime") putSmallDateTime(out, days, ticks);
    else if (name === "datetime2") putDateTime2(out, scale, days, ticks);
    else putDateTimeOffset(out, scale, days, ticks, offset);
  };
  const text = kind === "utf8" ? textOf(view) : undefined;
  const wanted = WRITTEN[name] ?? WITHOUT_OFFSET;
  return (row) => {
    if (text !== undefined && !wanted.test(text(row))) throw new Unfit("is not written as its type is in ISO 8601");
    read(row, moment);
    put();
  };
}
