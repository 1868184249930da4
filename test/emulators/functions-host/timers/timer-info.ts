import type { InvocationInput } from "../rpc.ts";

/** The facts of one run of a timer; times are Unix ms. */
export type TimerFacts = { isPastDue: boolean; lastMs?: number; nextMs?: number };

// .NET's DateTime.MinValue: what a schedule that has never run says.
const NEVER = "0001-01-01T00:00:00+00:00";

/** The timer's trigger value as the real host serialises TimerInfo; the worker's library changes the case of the names. */
export function toTimerInput(bindingName: string, facts: TimerFacts): InvocationInput {
  const info = {
    Schedule: { AdjustForDST: true },
    ScheduleStatus: {
      Last: format(facts.lastMs),
      Next: format(facts.nextMs),
      LastUpdated: format(facts.lastMs),
    },
    IsPastDue: facts.isPastDue,
  };
  return { inputData: [{ name: bindingName, data: { json: JSON.stringify(info) } }], triggerMetadata: {} };
}

function format(timeMs: number | undefined): string {
  return timeMs === undefined ? NEVER : new Date(timeMs).toISOString();
}
