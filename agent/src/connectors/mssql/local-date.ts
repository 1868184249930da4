/**
 * Stands for `@js-joda/core` in the bundle: tedious counts days between two dates by it and does nothing else with its 200 KB,
 * which every executor would have to load.
 */
const DAY_MS = 86_400_000;

interface LocalDate {
  readonly epochDay: number;
  /** Days from this date to the other one. */
  until(other: LocalDate): number;
}

/** @throws RangeError for what the calendar does not have, as the package does */
function localDate(year: number, month: number, day: number): LocalDate {
  const date = new Date(0);
  // Unlike Date.UTC this takes the years 0 to 99 as what they are.
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCFullYear() !== year || date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day)
    throw new RangeError("not a date of the calendar");
  const epochDay = date.getTime() / DAY_MS;
  return { epochDay, until: (other) => other.epochDay - epochDay };
}

export const LocalDate = {
  of: localDate,
  ofYearDay: (year: number, day: 1): LocalDate => localDate(year, 1, day),
};
/** The only unit that is asked for. */
export const ChronoUnit = { DAYS: "days" };
