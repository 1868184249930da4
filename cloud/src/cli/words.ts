/** Numbers and times as people read them. Pure. */
import { duration } from "@sallyport/shared/terminal.ts";

export const count = (value: number): string => value.toLocaleString("en-US");

const UNITS = ["B", "kB", "MB", "GB", "TB"];

/** `912 kB`, `1.4 GB`: powers of 1000, one decimal below ten. */
export function bytes(value: number): string {
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit > 0 && value < 9.95 ? value.toFixed(1) : Math.round(value)} ${UNITS[unit]}`;
}

/** `3 m ago` or `in 6 d 02 h`, from an ISO time; `-` without one. */
export function when(iso: string | null, nowMs: number): string {
  if (iso === null) return "-";
  const ms = Date.parse(iso) - nowMs;
  return ms > 0 ? `in ${duration(ms)}` : `${duration(-ms)} ago`;
}

/** Rows a second over so many milliseconds; too short a time says nothing. */
export const rate = (rows: number, ms: number): string =>
  ms < 100 ? "-" : `${count(Math.round(rows / (ms / 1000)))} rows/s`;

export const yesNo = (value: boolean): string => (value ? "yes" : "no");
