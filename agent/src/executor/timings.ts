/**
 * When this session did what, since its request was opened, on the monotonic clock: told in the last frame where the request
 * has a `traceparent`. Times only: they say nothing of what was asked or answered.
 */
import type { Timings } from "@sallyport/shared/protocol/timings.ts";
import type { Clock } from "../clock.ts";
import type { Output } from "../connectors/connector.ts";

export type Moment = Exclude<keyof Timings, "endedMs">;

/** Moments that happen again and again: the newest counts. Of the others it is the first. */
const NEWEST: ReadonlySet<Moment> = new Set(["lastRowMs"]);

export interface Stopwatch {
  mark(moment: Moment): void;
  /** All marks so far, and now as the end. */
  read(): Timings;
}

/** Starts now. */
export function createStopwatch(clock: Pick<Clock, "monotonicMs">): Stopwatch {
  const startedMs = clock.monotonicMs();
  const marks: Partial<Record<Moment, number>> = {};
  const sinceMs = (): number => Math.round((clock.monotonicMs() - startedMs) * 100) / 100;
  return {
    mark(moment) {
      if (marks[moment] === undefined || NEWEST.has(moment)) marks[moment] = sinceMs();
    },
    read: () => ({ ...marks, endedMs: sinceMs() }),
  };
}

/** Marks the first and the last rows that leave. */
export const timed = (output: Output, stopwatch: Stopwatch, rowsSent: () => number): Output => ({
  ...output,
  async flush() {
    const before = rowsSent();
    await output.flush();
    if (rowsSent() === before) return;
    stopwatch.mark("firstRowMs");
    stopwatch.mark("lastRowMs");
  },
});
