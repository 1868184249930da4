/** Conversions between types: CAST, CONVERT, assignment to a column, and what comparisons do silently. */
import { encodeText } from "./code-page.ts";
import {
  type Decimal,
  decimalOfFloat,
  fitDecimal,
  packDecimal,
  parseDecimal,
  rescale,
  unpackDecimal,
} from "./decimal.ts";
import { sqlError } from "./errors.ts";
import { parseGuid, sortableGuid, wireGuid } from "./guid.ts";
import { fromMoment, momentOfText, toMoment } from "./moments.ts";
import { DAYS_TO_1900 } from "./time.ts";
import { toText } from "./to-text.ts";
import { describe, familyOf, isUnicode, MAX, type SqlType, type SqlValue, TYPES } from "./type.ts";

type Given = Exclude<SqlValue, null>;

const RANGES: Partial<Record<SqlType["name"], readonly [bigint, bigint]>> = {
  tinyint: [0n, 255n],
  smallint: [-32_768n, 32_767n],
  int: [-2_147_483_648n, 2_147_483_647n],
  bigint: [-9_223_372_036_854_775_808n, 9_223_372_036_854_775_807n],
  money: [-9_223_372_036_854_775_808n, 9_223_372_036_854_775_807n],
  smallmoney: [-2_147_483_648n, 2_147_483_647n],
};

/** Converts `value`; text and bytes too long for `to` are cut, as CAST does. Throws SQL Server's conversion errors. */
export function convert(value: SqlValue, from: SqlType, to: SqlType, style = 0): SqlValue {
  if (value === null) return null;
  switch (familyOf(to)) {
    case "string":
      return toStringType(value, from, to, style);
    case "binary":
      return toBinary(value, from, to, style);
    case "integer":
      return toInteger(value, from, to);
    case "decimal":
      return packDecimal(
        fitDecimal(rescale(toExact(value, from, to), to.scale), to.precision, overflowSource(from), "numeric"),
      );
    case "money":
      return inRange(rescale(toExact(value, from, to), 4), from, to);
    case "float":
      return toFloat(value, from, to);
    case "time":
      return toTime(value, from, to);
    case "guid":
      return toGuid(value, from, to);
    case "rowversion":
      return toBytes(value, from, to).readBigUInt64BE(0);
  }
}

const overflowSource = (from: SqlType): string =>
  familyOf(from) === "string" ? from.name : `${familyOf(from) === "decimal" ? "numeric" : "expression"}`;

function inRange(value: bigint, from: SqlType, to: SqlType): number | bigint {
  const range = RANGES[to.name];
  if (range !== undefined && (value < range[0] || value > range[1])) {
    throw sqlError(8115, overflowSource(from), to.name);
  }
  return to.name === "bigint" || to.name === "money" ? value : Number(value);
}

function toInteger(value: Given, from: SqlType, to: SqlType): SqlValue {
  if (to.name === "bit") return toBit(value, from, to);
  switch (familyOf(from)) {
    case "integer":
    case "rowversion":
      return inRange(BigInt(value as bigint), from, to);
    case "string": {
      const text = String(value).trim();
      if (!/^[+-]?\d*$/.test(text)) throw sqlError(245, from.name, String(value), to.name);
      return inRange(BigInt(text === "" || text === "+" || text === "-" ? 0 : text.replace("+", "")), from, to);
    }
    case "binary": {
      const bytes = value as Uint8Array;
      const hex = Buffer.from(bytes.slice(-8)).toString("hex");
      const size = TYPES[to.name].maxLength * 8;
      const bits = BigInt.asUintN(size, BigInt(`0x0${hex}`));
      return inRange(to.name === "tinyint" ? bits : BigInt.asIntN(size, bits), from, to);
    }
    case "float":
      return inRange(BigInt(Math.trunc(Number(value))), from, to);
    case "money": {
      return inRange(rescale({ unscaled: BigInt(value as bigint), scale: 4 }, 0), from, to);
    }
    case "decimal": {
      const exact = toExact(value, from, to);
      return inRange(exact.unscaled / 10n ** BigInt(exact.scale), from, to);
    }
    default:
      throw sqlError(529, describe(from), describe(to));
  }
}

function toBit(value: Given, from: SqlType, to: SqlType): number {
  if (familyOf(from) === "string") {
    const text = String(value).trim().toLowerCase();
    if (text === "true") return 1;
    if (text === "false") return 0;
  }
  if (familyOf(from) === "float") return Number(value) === 0 ? 0 : 1;
  return toExact(value, from, to).unscaled === 0n ? 0 : 1;
}

function toExact(value: Given, from: SqlType, to: SqlType): Decimal {
  switch (familyOf(from)) {
    case "decimal":
      return { unscaled: unpackDecimal(value as Uint8Array), scale: from.scale };
    case "money":
      return { unscaled: BigInt(value as bigint), scale: 4 };
    case "integer":
    case "rowversion":
      return { unscaled: BigInt(value as bigint), scale: 0 };
    case "float":
      return decimalOfFloat(Number(value));
    case "binary":
      return { unscaled: BigInt(`0x0${Buffer.from(value as Uint8Array).toString("hex")}`), scale: 0 };
    case "string": {
      const text = String(value).trim();
      const money = familyOf(to) === "money" ? text.replaceAll(",", "").replace(/^([+-]?)[$€£]/, "$1") : text;
      const parsed = parseDecimal(money === "" && familyOf(to) === "money" ? "0" : money);
      if (parsed === null) throw sqlError(8114, from.name, familyOf(to) === "decimal" ? "numeric" : to.name);
      return parsed;
    }
    default:
      throw sqlError(529, describe(from), describe(to));
  }
}

function toFloat(value: Given, from: SqlType, to: SqlType): number {
  let number: number;
  if (familyOf(from) === "float" || familyOf(from) === "integer") number = Number(value);
  else if (familyOf(from) === "string") {
    const text = String(value).trim();
    if (text !== "" && !/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) {
      throw sqlError(8114, from.name, to.name === "real" ? "real" : "float");
    }
    number = Number(text);
  } else {
    const exact = toExact(value, from, to);
    number = Number(`${exact.unscaled}e-${exact.scale}`);
  }
  const fitted = to.name === "real" ? Math.fround(number) : number;
  if (!Number.isFinite(fitted)) throw sqlError(8115, "expression", to.name);
  return fitted;
}

function toTime(value: Given, from: SqlType, to: SqlType): SqlValue {
  switch (familyOf(from)) {
    case "time":
      return fromMoment(toMoment(value, from), to, from.name);
    case "string":
      return fromMoment(momentOfText(String(value)), to, from.name);
    case "integer":
      if (to.name === "datetime") {
        return fromMoment({ days: Number(value) + DAYS_TO_1900, ticks: 0, offsetMinutes: 0 }, to, from.name);
      }
      throw sqlError(206, describe(from), describe(to));
    default:
      throw sqlError(529, describe(from), describe(to));
  }
}

function toGuid(value: Given, from: SqlType, to: SqlType): SqlValue {
  if (familyOf(from) === "guid") return value;
  if (familyOf(from) === "binary") return sortableGuid(value as Uint8Array);
  if (familyOf(from) !== "string") throw sqlError(529, describe(from), describe(to));
  const guid = parseGuid(String(value));
  if (guid === null) throw sqlError(8169);
  return guid;
}

function toStringType(value: Given, from: SqlType, to: SqlType, style: number): string {
  const text = toText(value, from, style, isUnicode(to));
  const kept = isUnicode(to) ? text : to.collation.encoding === "utf-8" || isAscii(text) ? text : narrow(text);
  const cut = to.length === MAX ? kept : cutText(kept, to);
  if (cut.length < text.length && !["string", "binary", "time"].includes(familyOf(from))) {
    throw sqlError(8115, overflowSource(from), to.name);
  }
  return to.name === "char" || to.name === "nchar" ? cut.trimEnd() : cut;
}

const isAscii = (text: string): boolean => !/[^\0-\x7f]/.test(text);

// What the code page cannot hold becomes `?` when the value is stored, not when it is read.
function narrow(text: string): string {
  const bytes = encodeText(text, "windows-1252");
  return text.replace(/[^\0-\x7f\xa0-\xff]/g, (c, at: number) => (bytes[at] === 0x3f ? "?" : c));
}

function cutText(text: string, to: SqlType): string {
  if (isUnicode(to) || to.collation.encoding !== "utf-8") return text.slice(0, to.length);
  let bytes = 0;
  let cut = "";
  for (const character of text) {
    bytes += Buffer.byteLength(character);
    if (bytes > to.length) break;
    cut += character;
  }
  return cut;
}

function toBinary(value: Given, from: SqlType, to: SqlType, style: number): Uint8Array {
  let bytes: Buffer;
  if (familyOf(from) === "string" && (style === 1 || style === 2)) {
    const hex = String(value).replace(style === 1 ? /^0x/i : "", "");
    if (!/^([0-9a-f]{2})*$/i.test(hex)) throw sqlError(8114, from.name, to.name);
    bytes = Buffer.from(hex, "hex");
  } else bytes = toBytes(value, from, to);
  if (to.length === MAX) return bytes;
  // Numbers keep their last bytes, everything else its first.
  const number = familyOf(from) === "integer" || familyOf(from) === "money";
  const cut = number ? bytes.subarray(Math.max(0, bytes.length - to.length)) : bytes.subarray(0, to.length);
  if (to.name !== "binary" || cut.length === to.length) return cut;
  const padded = Buffer.alloc(to.length);
  cut.copy(padded, number ? to.length - cut.length : 0);
  return padded;
}

function toBytes(value: Given, from: SqlType, to: SqlType): Buffer {
  switch (familyOf(from)) {
    case "binary": {
      const bytes = Buffer.from(value as Uint8Array);
      if (to.name !== "rowversion" || bytes.length === 8) return bytes;
      return Buffer.concat([bytes, Buffer.alloc(8)]).subarray(0, 8);
    }
    case "rowversion":
      return bigEndian(BigInt(value as bigint), 8);
    case "string": {
      const text = String(value);
      const bytes = isUnicode(from) ? Buffer.from(text, "utf16le") : encodeText(text, from.collation.encoding);
      return to.name === "rowversion" ? Buffer.concat([bytes, Buffer.alloc(8)]).subarray(0, 8) : bytes;
    }
    case "integer":
    case "money": {
      const size = to.name === "rowversion" ? 8 : TYPES[from.name].maxLength;
      return bigEndian(BigInt(value as bigint), size);
    }
    case "guid":
      return Buffer.from(wireGuid(value as Uint8Array));
    default:
      throw sqlError(529, describe(from), describe(to));
  }
}

const bigEndian = (value: bigint, size: number): Buffer =>
  Buffer.from(
    BigInt.asUintN(size * 8, value)
      .toString(16)
      .padStart(size * 2, "0"),
    "hex",
  );

/**
 * Converts for storing in a column: what CAST would cut is refused, but trailing spaces and zeros are dropped.
 * Throws error 2628 when text or bytes are too long.
 */
export function assign(value: SqlValue, from: SqlType, to: SqlType, table: string, column: string): SqlValue {
  const converted = convert(value, from, to);
  if (value === null || to.length === MAX || converted === null) return converted;
  const tooLong = () => sqlError(2628, table, column, String(converted).slice(0, 100));
  if (familyOf(to) === "string") {
    const whole = convert(value, from, { ...to, length: MAX }) as string;
    if (whole.trimEnd().length > (converted as string).trimEnd().length) throw tooLong();
  } else if (familyOf(to) === "binary") {
    const whole = convert(value, from, { ...to, name: "varbinary", length: MAX }) as Uint8Array;
    if (familyOf(from) !== "integer" && whole.length > to.length) throw tooLong();
  }
  return converted;
}
