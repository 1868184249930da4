/** Wall clocks of time zones. A local time is given as the milliseconds it would have in UTC. Pure, but for the platform's zones. */

const HOUR_MS = 3600_000;
const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(timezone: string): Intl.DateTimeFormat {
  let format = formats.get(timezone);
  if (!format) {
    const fields = { year: "numeric", month: "numeric", day: "numeric", hour: "numeric" } as const;
    const rest = { minute: "numeric", second: "numeric", hourCycle: "h23", timeZone: timezone } as const;
    format = new Intl.DateTimeFormat("en-US", { ...fields, ...rest });
    formats.set(timezone, format);
  }
  return format;
}

/** What a zone's clocks show at an instant. Throws RangeError for a zone that the platform does not know. */
function localAt(timezone: string, instantMs: number): number {
  const part: Record<string, number> = {};
  for (const { type, value } of formatOf(timezone).formatToParts(instantMs)) part[type] = Number(value);
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = part;
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

export const offsetAt = (timezone: string, instantMs: number): number => {
  const whole = Math.floor(instantMs / 1000) * 1000;
  return localAt(timezone, whole) - whole;
};

/** When a zone's clocks show a local time: once, twice where they are set back, or never where they skip it. */
export function instantsOf(timezone: string, localMs: number): readonly number[] {
  // Offsets lie between -12 and +14 hours: these two are before and after the local time, wherever that is.
  const around = [offsetAt(timezone, localMs - 15 * HOUR_MS), offsetAt(timezone, localMs + 13 * HOUR_MS)];
  const instants = [...new Set(around)].map((offset) => localMs - offset);
  return instants.filter((instant) => localAt(timezone, instant) === localMs).sort((a, b) => a - b);
}

/** The first instant after clocks have skipped a local time. */
export function endOfGap(timezone: string, localMs: number): number {
  let [before, after] = [localMs - 15 * HOUR_MS, localMs + 13 * HOUR_MS];
  while (after - before > 1000) {
    const middle = Math.floor((before + after) / 2000) * 1000;
    if (localAt(timezone, middle) < localMs) before = middle;
    else after = middle;
  }
  return after;
}
