import { Cron } from "croner";

/**
 * NCRONTAB schedules `{second} {minute} {hour} {day} {month} {day of week}`, in UTC.
 * Source: "Timer trigger for Azure Functions", NCRONTAB expressions. croner reads a wider language, so what NCRONTAB
 * has not (`L W # ?`, nicknames, a seventh day) is refused first.
 */
export type Schedule = {
  readonly text: string;
  /** The first occurrence after a time, both as Unix ms; undefined when there is none. */
  nextAfter(timeMs: number): number | undefined;
};

const NAMES = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|sun|mon|tue|wed|thu|fri|sat";
const ITEM = `(?:\\*|(?:\\d{1,2}|${NAMES})(?:-(?:\\d{1,2}|${NAMES}))?)(?:/\\d{1,2})?`;
const FIELD = new RegExp(`^${ITEM}(?:,${ITEM})*$`, "i");

/** Reads a schedule. Throws an Error that says what is wrong. */
export function parseSchedule(text: string): Schedule {
  const fields = text.trim().split(/\s+/);
  if (fields.length !== 6) throw new Error(`"${text}" is no NCRONTAB schedule: it needs six fields, seconds first`);
  const bad = fields.find((field) => !FIELD.test(field));
  if (bad !== undefined) throw new Error(`"${text}" is no NCRONTAB schedule: "${bad}" cannot be read`);
  if (/(^|[,-])0?7/.test(fields[5]!))
    throw new Error(`"${text}" is no NCRONTAB schedule: Sunday is 0, there is no day 7`);
  const cron = readCron(text, fields);
  return { text, nextAfter: (timeMs) => cron.nextRun(new Date(timeMs))?.getTime() };
}

function readCron(text: string, fields: readonly string[]): Cron {
  try {
    // NCRONTAB wants day and weekday both to match; cron is content with one.
    return new Cron(fields.join(" "), { mode: "6-part", domAndDow: true, timezone: "UTC", paused: true });
  } catch (error) {
    throw new Error(`"${text}" is no NCRONTAB schedule: ${(error as Error).message}`);
  }
}
