import type { Schedule } from "./schedule.ts";

/** What a timer does at a moment. Times are Unix ms. */
export type TimerStep =
  | { do: "wait"; untilMs: number }
  | { do: "run"; occurrenceMs: number; isPastDue: boolean }
  | { do: "end" };

/** A wake-up this late is an occurrence missed, not a slow clock. */
const LATE_MS = 1000;

/**
 * Decides a timer's next step from the time up to which its occurrences are dealt with. However many were missed
 * (the previous run was long, the machine slept), they make one run with `isPastDue`.
 */
export function nextStep(schedule: Schedule, handledUntilMs: number, nowMs: number): TimerStep {
  const occurrenceMs = schedule.nextAfter(handledUntilMs);
  if (occurrenceMs === undefined) return { do: "end" };
  if (occurrenceMs > nowMs) return { do: "wait", untilMs: occurrenceMs };
  const following = schedule.nextAfter(occurrenceMs);
  const isPastDue = nowMs - occurrenceMs >= LATE_MS || (following !== undefined && following <= nowMs);
  return { do: "run", occurrenceMs, isPastDue };
}
