const DURATION = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/;
const DAY_MS = 86_400_000;

/** From here on a duration means "for ever": Azure's own default, TimeSpan.MaxValue, is just above. */
const FOR_EVER_MS = 10_675_199 * DAY_MS;

/**
 * Reads an ISO 8601 duration of days, hours, minutes and seconds.
 *
 * @returns milliseconds, Infinity for .NET's largest TimeSpan, undefined when it is no such duration
 */
export function durationMs(text: string): number | undefined {
  const parts = DURATION.exec(text);
  if (!parts || text === "P" || text.endsWith("T")) return undefined;
  const [days = 0, hours = 0, minutes = 0, seconds = 0] = parts.slice(1).map((part) => Number(part ?? 0));
  const ms = days * DAY_MS + hours * 3_600_000 + minutes * 60_000 + Math.round(seconds * 1000);
  return ms >= FOR_EVER_MS ? Infinity : ms;
}
