import { setTimeout as sleep } from "node:timers/promises";
import type { TimerFunction } from "../functions.ts";
import type { Invoker } from "../invoke.ts";
import { startProblem } from "../start-problem.ts";
import { nextStep } from "./due.ts";
import { parseSchedule, type Schedule } from "./schedule.ts";
import { toTimerInput } from "./timer-info.ts";

export type Clock = { nowMs(): number; sleep(ms: number, signal: AbortSignal): Promise<void> };

const systemClock: Clock = {
  nowMs: () => Date.now(),
  sleep: (ms, signal) => sleep(ms, undefined, { signal }),
};

// Short enough to notice that the machine slept, and far below the 2^31 ms that a Node timer can wait.
const LONGEST_SLEEP_MS = 30_000;

/** Reads a timer function's schedule. Throws a StartProblem that names the function. */
export function readSchedule(fn: TimerFunction): Schedule {
  try {
    return parseSchedule(fn.schedule);
  } catch (error) {
    throw startProblem(`The '${fn.name}' function is in error: ${(error as Error).message}`, error);
  }
}

/**
 * Runs a timer function at its times until the signal says stop; never while its previous run goes on. A failed run
 * changes nothing: the next occurrence comes. `useMonitor` is ignored, nothing is remembered across starts.
 * Resolves after the last run.
 */
export async function runTimer(
  fn: TimerFunction,
  schedule: Schedule,
  invoker: Pick<Invoker, "invoke">,
  signal: AbortSignal,
  clock: Clock = systemClock,
): Promise<void> {
  let lastMs: number | undefined;
  const run = async (occurrenceMs: number, isPastDue: boolean) => {
    const nextMs = schedule.nextAfter(clock.nowMs());
    const facts = {
      isPastDue,
      ...(lastMs === undefined ? {} : { lastMs }),
      ...(nextMs === undefined ? {} : { nextMs }),
    };
    // The invoker has logged a failure already.
    await invoker.invoke(fn.registered, toTimerInput(fn.triggerName, facts)).catch(() => undefined);
    lastMs = occurrenceMs;
  };

  let handledUntilMs = clock.nowMs();
  if (fn.runOnStartup) await run(handledUntilMs, false);
  while (!signal.aborted) {
    const nowMs = clock.nowMs();
    const step = nextStep(schedule, handledUntilMs, nowMs);
    if (step.do === "end") return;
    if (step.do === "run") {
      handledUntilMs = nowMs;
      await run(step.occurrenceMs, step.isPastDue);
    } else {
      // Rejects only when aborted, which the loop's condition sees.
      await clock.sleep(Math.min(step.untilMs - nowMs, LONGEST_SLEEP_MS), signal).catch(() => undefined);
    }
  }
}
