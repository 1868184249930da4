/** Days and hours as an owner's clock shows them, in a time zone of the IANA database. */

const formats = new Map<string, Intl.DateTimeFormat>();

function partsIn(timezone: string, at: Date): Readonly<Record<string, string>> {
  let format = formats.get(timezone);
  if (format === undefined) {
    const two = "2-digit";
    format = new Intl.DateTimeFormat("en-CA", {
      timeZone: timezone,
      calendar: "iso8601",
      hourCycle: "h23",
      year: "numeric",
      month: two,
      day: two,
      hour: two,
      minute: two,
    });
    formats.set(timezone, format);
  }
  return Object.fromEntries(format.formatToParts(at).map((part) => [part.type, part.value]));
}

/** `2027-03-31`: such texts compare as days do. */
export function dayIn(timezone: string, at: Date): string {
  const { year, month, day } = partsIn(timezone, at);
  return `${year}-${month}-${day}`;
}

/** `22:05`. */
export function timeIn(timezone: string, at: Date): string {
  const { hour, minute } = partsIn(timezone, at);
  return `${hour}:${minute}`;
}

/** The day `days` after `day`, both as text. */
export function addDays(day: string, days: number): string {
  const start = Date.parse(`${day}T00:00:00Z`);
  return new Date(start + days * 86_400_000).toISOString().slice(0, 10);
}

/** Whether `22:05` lies in `22:00-06:00`: the start belongs to it, the end does not. */
export function isInRange(range: string, time: string): boolean {
  const [start = "", end = ""] = range.split("-");
  return start < end ? start <= time && time < end : time >= start || time < end;
}
