/** Values of a checked column as what SQL Server's types are made of: whole numbers with a scale, days and 100 ns. */
import type { ColumnView } from "@sallyport/shared/rows/layout.ts";
import { DAYS_0001_TO_1970, power10, TICKS_A_DAY, Unfit } from "./wire-value.ts";

/** An exact number: `unscaled` / 10^`scale`. One object is filled again for each value. */
export interface Exact {
  unscaled: bigint;
  scale: number;
}

/** A moment: days since 0001-01-01, 100 ns since midnight, and minutes from UTC. Filled again for each value. */
export interface Moment {
  days: number;
  ticks: number;
  offset: number;
}

export type Read<Value> = (row: number, into: Value) => void;

const bufferOf = ({ data }: ColumnView): Buffer => Buffer.from(data.buffer, data.byteOffset, data.byteLength);

/** The text of each row of a text column. */
export function textOf(view: ColumnView): (row: number) => string {
  const bytes = bufferOf(view);
  return (row) => bytes.toString("utf8", view.offsets![row], view.offsets![row + 1]);
}

/** Integers and decimals, also as text; undefined for a column of another kind. */
export function exactReader(view: ColumnView): Read<Exact> | undefined {
  const bytes = bufferOf(view);
  const { type } = view;
  if (type.kind === "int") {
    const read = integerReader(bytes, type.bits, type.signed);
    return (row, into) => {
      into.unscaled = read(row);
      into.scale = 0;
    };
  }
  if (type.kind === "decimal") {
    const { scale } = type;
    return (row, into) => {
      const low = bytes.readBigUInt64LE(row * 16);
      const high = bytes.readBigInt64LE(row * 16 + 8);
      into.unscaled = high === 0n ? low : (high << 64n) | low;
      into.scale = scale;
    };
  }
  if (type.kind !== "utf8") return undefined;
  const text = textOf(view);
  return (row, into) => parseExact(text(row), into);
}

function integerReader(bytes: Buffer, bits: number, signed: boolean): (row: number) => bigint {
  if (bits === 64) return signed ? (row) => bytes.readBigInt64LE(row * 8) : (row) => bytes.readBigUInt64LE(row * 8);
  const width = bits / 8;
  return signed
    ? (row) => BigInt(bytes.readIntLE(row * width, width))
    : (row) => BigInt(bytes.readUIntLE(row * width, width));
}

function parseExact(text: string, into: Exact): void {
  const match = /^([+-]?)0*([0-9]{0,40})(?:\.([0-9]{0,40}))?$/.exec(text);
  if (match === null || !/[0-9]/.test(text)) throw new Unfit("is no number");
  const [, sign, whole = "", fraction = ""] = match;
  const unscaled = BigInt(`${whole}${fraction}` || "0");
  into.unscaled = sign === "-" ? -unscaled : unscaled;
  into.scale = fraction.length;
}

/** The number in units of another scale; what would need rounding is refused. */
export function rescaled({ unscaled, scale }: Exact, to: number): bigint {
  if (scale === to) return unscaled;
  if (scale < to) return unscaled * power10(to - scale);
  const unit = power10(scale - to);
  if (unscaled % unit !== 0n) throw new Unfit("has more digits after the point than it holds");
  return unscaled / unit;
}

const PER_DAY = { ms: 86_400_000n, us: 86_400_000_000n, ns: 86_400_000_000_000n } as const;
const UNITS_A_TICK = { ms: 0, us: 0, ns: 100 } as const;
const TICKS_A_UNIT = { ms: 10_000, us: 10, ns: 0 } as const;

/** Timestamps with or without an offset, dates and times, also as ISO text; undefined for a column of another kind. */
export function momentReader(view: ColumnView): Read<Moment> | undefined {
  const bytes = bufferOf(view);
  const { type } = view;
  switch (type.kind) {
    case "timestamp":
    case "timestampOffset": {
      const { unit } = type;
      const offsets = view.offsetMinutes;
      return (row, into) => {
        setInstant(bytes.readBigInt64LE(row * 8), unit, into);
        into.offset = offsets?.[row] ?? 0;
      };
    }
    case "date":
      return (row, into) => {
        into.days = bytes.readInt32LE(row * 4) + DAYS_0001_TO_1970;
        into.ticks = 0;
        into.offset = 0;
      };
    case "time":
      return (row, into) => {
        const ns = Number(bytes.readBigInt64LE(row * 8));
        if (ns % 100 !== 0) throw new Unfit("has more than 7 digits of a second");
        into.days = 0;
        into.ticks = ns / 100;
        into.offset = 0;
      };
    case "utf8": {
      const text = textOf(view);
      return (row, into) => parseMoment(text(row), into);
    }
    default:
      return undefined;
  }
}

function setInstant(value: bigint, unit: "ms" | "us" | "ns", into: Moment): void {
  const perDay = PER_DAY[unit];
  let days = value / perDay;
  let rest = value % perDay;
  if (rest < 0n) {
    rest += perDay;
    days -= 1n;
  }
  into.days = Number(days) + DAYS_0001_TO_1970;
  const count = Number(rest);
  if (unit !== "ns") into.ticks = count * TICKS_A_UNIT[unit];
  else if (count % UNITS_A_TICK.ns === 0) into.ticks = count / UNITS_A_TICK.ns;
  else throw new Unfit("has more than 7 digits of a second");
}

const DATE = "([0-9]{4})-([0-9]{2})-([0-9]{2})";
const TIME = "([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\\.([0-9]{1,9}))?)?";
const ISO = new RegExp(`^(?:${DATE})?(?:(^|[T ])${TIME})?(Z|[+-][0-9]{2}:[0-9]{2})?$`);

/** Only ISO text: `2024-05-06`, `2024-05-06T07:08:09.1234567+02:00`, `07:08:09.5`. */
function parseMoment(text: string, into: Moment): void {
  const match = ISO.exec(text);
  if (match === null || text === "") throw new Unfit("is no ISO date or time");
  const [, year, month, day, , hour = "0", minute = "0", second = "0", fraction = "", zone = "Z"] = match;
  const [h, m, s] = [Number(hour), Number(minute), Number(second)];
  if (h > 23 || m > 59 || s > 59 || /[1-9]/.test(fraction.slice(7))) throw new Unfit("is no time of day");
  const offset = zone === "Z" ? 0 : Number(`${zone[0]}1`) * (Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4)));
  const local = ((h * 60 + m) * 60 + s) * 10_000_000 + Number(fraction.slice(0, 7).padEnd(7, "0"));
  const ticks = local - offset * 600_000_000;
  const shift = Math.floor(ticks / TICKS_A_DAY);
  into.days = (year === undefined ? 0 : dayOf(Number(year), Number(month), Number(day))) + shift;
  into.ticks = ticks - shift * TICKS_A_DAY;
  into.offset = offset;
}

function dayOf(year: number, month: number, day: number): number {
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day || year < 1) throw new Unfit("is no day");
  return Math.floor(date.getTime() / 86_400_000) + DAYS_0001_TO_1970;
}
