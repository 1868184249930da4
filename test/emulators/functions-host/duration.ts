/**
 * Reads a .NET TimeSpan as host.json writes it (`[d.]hh:mm:ss[.fffffff]`) and returns milliseconds, or undefined when
 * the text is none. Source: "Standard TimeSpan format strings", the constant format.
 */
export function parseTimeSpanMs(text: string): number | undefined {
  const match = /^(?:(\d{1,8})\.)?(\d{1,2}):(\d{2}):(\d{2})(?:\.(\d{1,7}))?$/.exec(text);
  if (match === null) return undefined;
  const [, days = "0", hours = "0", minutes = "0", seconds = "0", fraction = "0"] = match;
  if (Number(hours) > 23 || Number(minutes) > 59 || Number(seconds) > 59) return undefined;
  const wholeSeconds = ((Number(days) * 24 + Number(hours)) * 60 + Number(minutes)) * 60 + Number(seconds);
  return wholeSeconds * 1000 + Number(fraction.padEnd(7, "0")) / 10_000;
}
