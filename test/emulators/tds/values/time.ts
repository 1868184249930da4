/** Dates and times: text, calendar and the integers in which SQLite keeps them. All are UTC, proleptic Gregorian. */

/** A point in time as T-SQL writes it: the local day, the local time of day, and the offset if it has one. */
export interface Moment {
  /** Days since 0001-01-01. */
  readonly days: number;
  /** 100 ns since midnight. */
  readonly ticks: number;
  readonly offsetMinutes: number;
}

export const TICKS_A_DAY = 864_000_000_000;
export const DAYS_TO_1900 = 693_595;
const DAYS_TO_1970 = 719_162;
const MS_A_DAY = 86_400_000;

/** Days since 0001-01-01, or null when there is no such day. */
export function daysOf(year: number, month: number, day: number): number | null {
  if (year < 1 || year > 9999 || month < 1 || month > 12 || day < 1) return null;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return null;
  return date.getTime() / MS_A_DAY + DAYS_TO_1970;
}

export function calendar(days: number): { year: number; month: number; day: number } {
  const date = new Date((days - DAYS_TO_1970) * MS_A_DAY);
  return { year: date.getUTCFullYear(), month: date.getUTCMonth() + 1, day: date.getUTCDate() };
}

export const weekday = (days: number): number => (days + 1) % 7;

const two = (n: number): string => String(n).padStart(2, "0");

export function formatDate(days: number): string {
  const { year, month, day } = calendar(days);
  return `${String(year).padStart(4, "0")}-${two(month)}-${two(day)}`;
}

export function formatTime(ticks: number, scale: number): string {
  const seconds = Math.floor(ticks / 10_000_000);
  const text = `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return scale === 0
    ? text
    : `${text}.${String(ticks % 10_000_000)
        .padStart(7, "0")
        .slice(0, scale)}`;
}

export function formatOffset(minutes: number): string {
  const size = Math.abs(minutes);
  return `${minutes < 0 ? "-" : "+"}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/** `Jan  2 2024  3:04PM`, style 0 of datetime. */
export function formatMonthName(days: number, ticks: number): string {
  const { year, month, day } = calendar(days);
  const name = MONTHS[month - 1] ?? "";
  const minutes = Math.floor(ticks / 600_000_000);
  const hour = Math.floor(minutes / 60);
  const clock = `${String(hour % 12 || 12).padStart(2, " ")}:${two(minutes % 60)}${hour < 12 ? "AM" : "PM"}`;
  return `${name.slice(0, 1).toUpperCase()}${name.slice(1)} ${String(day).padStart(2, " ")} ${year} ${clock}`;
}

const PATTERN =
  /^\s*(?:(\d{4})-?(\d{2})-?(\d{2}))?(?:[T\s]+(?=\d)|$|(?=\d{1,2}:))?(?:(\d{1,2}):(\d{2})(?::(\d{2})(?:[.:](\d{1,9}))?)?\s*(AM|PM)?)?\s*(Z|[+-]\d{2}:\d{2})?\s*$/i;

/**
 * Reads `2024-01-31`, `20240131`, `2024-01-31 12:34:56.1234567`, `…T…`, a time alone (on 1900-01-01), each perhaps
 * with `Z` or `+02:00`. Null when it is none of these or no such moment exists.
 */
export function parseMoment(text: string): Moment | null {
  const match = PATTERN.exec(text);
  if (match === null) return null;
  const [, year, month, day, hour, minute, second = "0", fraction = "", half, zone] = match;
  if (year === undefined && hour === undefined) return text.trim() === "" ? moment(DAYS_TO_1900, 0) : null;
  const days = year === undefined ? DAYS_TO_1900 : daysOf(Number(year), Number(month), Number(day));
  if (days === null) return null;
  let hours = Number(hour ?? 0);
  if (half !== undefined) hours = (hours % 12) + (half.toUpperCase() === "PM" ? 12 : 0);
  if (hours > 23 || Number(minute ?? 0) > 59 || Number(second) > 59) return null;
  // Digits beyond 100 ns are rounded away, never read as more time.
  const ticks =
    ((hours * 60 + Number(minute ?? 0)) * 60 + Number(second)) * 10_000_000 +
    Math.round(Number(`0.${fraction}0`) * 10_000_000);
  return moment(days, ticks, parseOffset(zone));
}

const moment = (days: number, ticks: number, offsetMinutes = 0): Moment => ({ days, ticks, offsetMinutes });

function parseOffset(zone: string | undefined): number {
  if (zone === undefined || zone.toUpperCase() === "Z") return 0;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4, 6));
  return zone.startsWith("-") ? -minutes : minutes;
}

/** Rounds 100 ns ticks half up to `scale` digits of a second; the result may be a whole day. */
export function roundTicks(ticks: number, scale: number): number {
  const unit = 10 ** (7 - scale);
  return Math.floor(ticks / unit + 0.5) * unit;
}

/** datetimeoffset in ten bytes: UTC ticks first, so that BLOB order is the order of instants. */
export function packOffset(value: Moment): Uint8Array {
  const bytes = Buffer.allocUnsafe(10);
  const utc = BigInt(value.days) * BigInt(TICKS_A_DAY) + BigInt(value.ticks - value.offsetMinutes * 600_000_000);
  bytes.writeBigInt64BE(utc, 0);
  bytes.writeUInt16BE(value.offsetMinutes + 840, 8);
  return bytes;
}

export function unpackOffset(packed: Uint8Array): Moment {
  const bytes = Buffer.from(packed.buffer, packed.byteOffset, packed.byteLength);
  const offsetMinutes = bytes.readUInt16BE(8) - 840;
  return fromTicks(bytes.readBigInt64BE(0) + BigInt(offsetMinutes) * 600_000_000n, offsetMinutes);
}

export function fromTicks(ticks: bigint, offsetMinutes = 0): Moment {
  const day = BigInt(TICKS_A_DAY);
  const days = ticks >= 0n ? ticks / day : -((-ticks + day - 1n) / day);
  return moment(Number(days), Number(ticks - days * day), offsetMinutes);
}

export const toTicks = (value: Moment): bigint => BigInt(value.days) * BigInt(TICKS_A_DAY) + BigInt(value.ticks);

const DAYS_1900_TO_1970 = 25_567;
const THREE_HUNDREDTHS_A_DAY = 25_920_000;

/** Milliseconds since 1970 as SQLite keeps a datetime: 300ths of a second since 1900. */
export const datetimeAt = (ms: number): number =>
  DAYS_1900_TO_1970 * THREE_HUNDREDTHS_A_DAY + Math.floor((ms * 3) / 10);
