/** Dates and times as ISO 8601 text with all their digits, from day counts: `Date` knows neither 100 ns nor every year. */

const pad = (value: number, digits: number): string => String(value).padStart(digits, "0");

/** `2026-11-22`; years outside 0 to 9999 in the expanded form `+012026-11-22`. Days since 1970-01-01. */
export function isoDate(daysSinceEpoch: number): string {
  // Civil date from a day count, in eras of 400 years that begin on 1 March
  // (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms").
  const shifted = daysSinceEpoch + 719_468;
  const era = Math.floor(shifted / 146_097);
  const dayOfEra = shifted - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  );
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1;
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  const yearText = year >= 0 && year <= 9999 ? pad(year, 4) : `${year < 0 ? "-" : "+"}${pad(Math.abs(year), 6)}`;
  return `${yearText}-${pad(month, 2)}-${pad(day, 2)}`;
}

/** `13:05:00.1234567`: a count of 10^-digits seconds since midnight. */
export function isoTime(count: number, digits: number): string {
  const perSecond = 10 ** digits;
  const seconds = Math.floor(count / perSecond);
  const clock = `${pad(Math.floor(seconds / 3600), 2)}:${pad(Math.floor(seconds / 60) % 60, 2)}:${pad(seconds % 60, 2)}`;
  return digits === 0 ? clock : `${clock}.${pad(count - seconds * perSecond, digits)}`;
}

/** `+02:00`, or `+00:00`: an offset from UTC in minutes. */
export function isoOffset(minutes: number): string {
  const size = Math.abs(minutes);
  return `${minutes < 0 ? "-" : "+"}${pad(Math.floor(size / 60), 2)}:${pad(size % 60, 2)}`;
}

/** A day count and a count of 10^-digits seconds that may lie before or after that day, moved into the right day. */
export function isoDateTime(days: number, count: number, digits: number): string {
  const perDay = 86_400 * 10 ** digits;
  const shift = Math.floor(count / perDay);
  return `${isoDate(days + shift)}T${isoTime(count - shift * perDay, digits)}`;
}
