/** Between the kept integers of the date and time types and a `Moment`. */
import { sqlError } from "./errors.ts";
import {
  DAYS_TO_1900,
  fromTicks,
  type Moment,
  packOffset,
  parseMoment,
  roundTicks,
  TICKS_A_DAY,
  toTicks,
  unpackOffset,
} from "./time.ts";
import { describe, type SqlType, type SqlValue } from "./type.ts";

const THIRDS_A_DAY = 25_920_000;
const MINUTES_A_DAY = 1440;
const LAST_DAY = 3_652_058;
const FIRST_DATETIME = 639_905;

export function toMoment(value: Exclude<SqlValue, null>, type: SqlType): Moment {
  if (type.name === "datetimeoffset") return unpackOffset(value as Uint8Array);
  if (type.name === "datetime2") return fromTicks(BigInt(value as bigint));
  const number = Number(value);
  switch (type.name) {
    case "date":
      return { days: number, ticks: 0, offsetMinutes: 0 };
    case "time":
      return { days: DAYS_TO_1900, ticks: number, offsetMinutes: 0 };
    case "datetime": {
      const days = Math.floor(number / THIRDS_A_DAY);
      const thirds = number - days * THIRDS_A_DAY;
      return { days: days + DAYS_TO_1900, ticks: Math.round((thirds * 100_000) / 3), offsetMinutes: 0 };
    }
    case "smalldatetime": {
      const days = Math.floor(number / MINUTES_A_DAY);
      return {
        days: days + DAYS_TO_1900,
        ticks: (number - days * MINUTES_A_DAY) * 600_000_000,
        offsetMinutes: 0,
      };
    }
    default:
      throw sqlError(206, describe(type), "datetime2");
  }
}

/** Rounds to the type's precision. Throws error 242 for a moment that the type cannot hold. */
export function fromMoment(moment: Moment, type: SqlType, from = "datetime2"): SqlValue {
  const outOfRange = () => sqlError(242, from, type.name);
  const rounded = roundTicks(moment.ticks, type.name === "time" || type.name.length > 8 ? type.scale : 7);
  const carried = { ...moment, days: moment.days + Math.floor(rounded / TICKS_A_DAY), ticks: rounded % TICKS_A_DAY };
  if (carried.days > LAST_DAY || carried.days < 0) throw outOfRange();
  switch (type.name) {
    case "date":
      return moment.days;
    case "time":
      return carried.ticks;
    case "datetime2":
      return toTicks(carried);
    case "datetimeoffset": {
      // SQL Server keeps the instant: it must lie within 0001 to 9999 in UTC too.
      const utc = toTicks(carried) - BigInt(carried.offsetMinutes) * 600_000_000n;
      if (utc < 0n || utc >= BigInt(LAST_DAY + 1) * BigInt(TICKS_A_DAY)) throw outOfRange();
      return packOffset(carried);
    }
    case "datetime": {
      if (moment.days < FIRST_DATETIME) throw outOfRange();
      const thirds = (moment.days - DAYS_TO_1900) * THIRDS_A_DAY + Math.round((moment.ticks * 3) / 100_000);
      if (thirds >= (LAST_DAY + 1 - DAYS_TO_1900) * THIRDS_A_DAY) throw outOfRange();
      return thirds;
    }
    case "smalldatetime": {
      const minutes = (moment.days - DAYS_TO_1900) * MINUTES_A_DAY + Math.round(moment.ticks / 600_000_000);
      if (minutes < 0 || minutes >= 65_536 * MINUTES_A_DAY) throw outOfRange();
      return minutes;
    }
    default:
      throw sqlError(206, from, describe(type));
  }
}

/** Throws error 241 for text that is no date or time. */
export function momentOfText(text: string): Moment {
  const moment = parseMoment(text);
  if (moment === null) throw sqlError(241);
  return moment;
}
