/** Values as the text that CAST and CONVERT give, with the styles that scripts use. */
import { decodeText } from "./code-page.ts";
import { formatDecimal, unpackDecimal } from "./decimal.ts";
import { formatGuid } from "./guid.ts";
import { toMoment } from "./moments.ts";
import { formatDate, formatMonthName, formatOffset, formatTime } from "./time.ts";
import { familyOf, type SqlType, type SqlValue } from "./type.ts";

export function toText(value: Exclude<SqlValue, null>, type: SqlType, style: number, unicode: boolean): string {
  switch (familyOf(type)) {
    case "string":
      return String(value).padEnd(type.name === "char" || type.name === "nchar" ? type.length : 0);
    case "integer":
      return String(value);
    case "decimal":
      return formatDecimal(unpackDecimal(value as Uint8Array), type.scale);
    case "money":
      return moneyText(BigInt(value as bigint), style);
    case "float":
      return floatText(Number(value), type.name === "real", style);
    case "time":
      return timeText(value, type, style);
    case "guid":
      return formatGuid(value as Uint8Array);
    case "rowversion":
      return binaryText(
        Buffer.from(
          BigInt(value as bigint)
            .toString(16)
            .padStart(16, "0"),
          "hex",
        ),
        style,
        unicode,
      );
    case "binary":
      return binaryText(value as Uint8Array, style, unicode);
  }
}

// Two decimals unless the style asks for all four.
function moneyText(value: bigint, style: number): string {
  if (style === 2) return formatDecimal(value, 4);
  const half = value < 0n ? -50n : 50n;
  return formatDecimal((value + half) / 100n, 2);
}

function floatText(value: number, single: boolean, style: number): string {
  if (style === 0) {
    if (value === 0) return "0";
    const exponent = Math.floor(Math.log10(Math.abs(value)));
    const short = Number(value.toPrecision(6));
    return exponent >= -5 && exponent < 15 && Math.abs(exponent) < 7 ? plain(short) : scientific(value, 5);
  }
  if (style === 3) return scientific(value, single ? 8 : 16);
  return scientific(value, style === 2 ? 15 : 7);
}

const plain = (value: number): string => value.toFixed(10).replace(/\.?0+$/, "");

function scientific(value: number, digits: number): string {
  const [mantissa = "", exponent = "+0"] = value.toExponential(digits).split("e");
  return `${mantissa}e${exponent.slice(0, 1)}${exponent.slice(1).padStart(3, "0")}`;
}

function timeText(value: Exclude<SqlValue, null>, type: SqlType, style: number): string {
  const { days, ticks, offsetMinutes } = toMoment(value, type);
  const old = type.name === "datetime" || type.name === "smalldatetime";
  if (type.name === "date") return style === 112 ? formatDate(days).replaceAll("-", "") : formatDate(days);
  if (type.name === "time") return formatTime(ticks, type.scale);
  if (style === 112) return formatDate(days).replaceAll("-", "");
  if (old && (style === 0 || style === 100)) return formatMonthName(days, ticks);
  const separator = style === 126 || style === 127 ? "T" : " ";
  const scale = style === 120 ? 0 : old ? 3 : type.scale;
  // A datetime's thirds are shown as .000, .003 and .007.
  const shown = old ? Math.round(ticks / 10_000) * 10_000 : ticks;
  const text = `${formatDate(days)}${separator}${formatTime(shown, scale)}`;
  if (type.name !== "datetimeoffset") return text;
  return `${text}${separator === "T" ? "" : " "}${formatOffset(offsetMinutes)}`;
}

function binaryText(bytes: Uint8Array, style: number, unicode: boolean): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (style === 1) return `0x${buffer.toString("hex").toUpperCase()}`;
  if (style === 2) return buffer.toString("hex").toUpperCase();
  return unicode ? buffer.toString("utf16le") : decodeText(buffer, "windows-1252");
}
