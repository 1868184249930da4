/** DATEADD, DATEDIFF and DATEPART over moments. */
import { sqlError } from "../values/errors.ts";
import { calendar, daysOf, fromTicks, type Moment, TICKS_A_DAY, toTicks, weekday } from "../values/time.ts";

const SYNONYMS: Readonly<Record<string, string>> = {
  yy: "year",
  yyyy: "year",
  qq: "quarter",
  q: "quarter",
  mm: "month",
  m: "month",
  dy: "dayofyear",
  y: "dayofyear",
  dd: "day",
  d: "day",
  wk: "week",
  ww: "week",
  dw: "weekday",
  w: "weekday",
  hh: "hour",
  mi: "minute",
  n: "minute",
  ss: "second",
  s: "second",
  ms: "millisecond",
  mcs: "microsecond",
  ns: "nanosecond",
};

const TICKS: Readonly<Record<string, bigint>> = {
  week: BigInt(TICKS_A_DAY) * 7n,
  day: BigInt(TICKS_A_DAY),
  dayofyear: BigInt(TICKS_A_DAY),
  weekday: BigInt(TICKS_A_DAY),
  hour: 36_000_000_000n,
  minute: 600_000_000n,
  second: 10_000_000n,
  millisecond: 10_000n,
  microsecond: 10n,
};

const MONTHS: Readonly<Record<string, number>> = { year: 12, quarter: 3, month: 1 };

const fullName = (part: string): string => SYNONYMS[part] ?? part;

/** DATEADD: the last day of a month stays within its month. Throws error 102 for a part that is none. */
export function addTo(moment: Moment, partName: string, count: bigint): Moment {
  const part = fullName(partName);
  const months = MONTHS[part];
  if (months !== undefined) return addMonths(moment, Number(count) * months);
  const ticks = part === "nanosecond" ? count / 100n : count * unit(part);
  return fromTicks(toTicks(moment) + ticks, moment.offsetMinutes);
}

function unit(part: string): bigint {
  const ticks = TICKS[part];
  if (ticks === undefined) throw sqlError(102, part);
  return ticks;
}

function addMonths(moment: Moment, months: number): Moment {
  const { year, month, day } = calendar(moment.days);
  const total = year * 12 + (month - 1) + months;
  const target = [Math.floor(total / 12), (((total % 12) + 12) % 12) + 1] as const;
  for (let last = day; last > day - 4; last--) {
    const days = daysOf(target[0], target[1], last);
    if (days !== null) return { ...moment, days };
  }
  throw sqlError(242, "datetime", "datetime");
}

/** DATEDIFF: how many boundaries of the part lie between the two. */
export function difference(partName: string, from: Moment, to: Moment): bigint {
  const part = fullName(partName);
  const months = MONTHS[part];
  if (months !== undefined) return BigInt(monthCount(to, months) - monthCount(from, months));
  if (part === "nanosecond") return (toTicks(to) - toTicks(from)) * 100n;
  // Weeks begin on Sunday, and 0001-01-01 is a Monday.
  const shift = part === "week" ? BigInt(TICKS_A_DAY) : 0n;
  return (toTicks(to) + shift) / unit(part) - (toTicks(from) + shift) / unit(part);
}

function monthCount(moment: Moment, months: number): number {
  const { year, month } = calendar(moment.days);
  return Math.floor((year * 12 + month - 1) / months);
}

export function partOf(partName: string, moment: Moment): number {
  const { year, month, day } = calendar(moment.days);
  const { ticks } = moment;
  const seconds = Math.floor(ticks / 10_000_000);
  const yearStart = daysOf(year, 1, 1) ?? 0;
  const parts: Readonly<Record<string, number>> = {
    year,
    quarter: Math.floor((month + 2) / 3),
    month,
    day,
    dayofyear: moment.days - yearStart + 1,
    weekday: weekday(moment.days) + 1,
    week: Math.floor((moment.days - yearStart + weekday(yearStart)) / 7) + 1,
    hour: Math.floor(seconds / 3600),
    minute: Math.floor(seconds / 60) % 60,
    second: seconds % 60,
    millisecond: Math.floor((ticks % 10_000_000) / 10_000),
    microsecond: Math.floor((ticks % 10_000_000) / 10),
    nanosecond: (ticks % 10_000_000) * 100,
    tzoffset: moment.offsetMinutes,
  };
  const found = parts[fullName(partName)];
  if (found === undefined) throw sqlError(102, partName);
  return found;
}
