/** When a pull is due: five-part cron in a time zone, and the rules for what was missed or comes too early. Pure. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { PullDefinition, Schedule } from "@sallyport/shared/schema/pull.ts";
import { Cron } from "croner";

/** Croner's own extensions (last, nearest weekday, nth, any) are no five-part cron. */
const EXTENSIONS = /[LW#?@]/i;
const NAMES = /\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|sun|mon|tue|wed|thu|fri|sat)\b/gi;

function cronOf({ cron, timezone }: Schedule): Cron {
  try {
    if (EXTENSIONS.test(cron.replace(NAMES, ""))) throw new RangeError("only digits, names and * , - / are known");
    // Throws for a zone that the platform does not know; croner itself would find out only when asked.
    new Intl.DateTimeFormat("en", { timeZone: timezone });
    return new Cron(cron, { mode: "5-part", timezone, paused: true });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new SallyportError("api.invalid", `The schedule is not valid: ${reason}.`, { field: "schedule" }, cause);
  }
}

/** The first due time after `afterMs`, in milliseconds; null when there is none. Throws `api.invalid`. */
export function nextDueAfter(schedule: Schedule, afterMs: number): number | null {
  return cronOf(schedule).nextRun(new Date(afterMs))?.getTime() ?? null;
}

/** The due time to store with a definition; null without a schedule, or when it is paused. */
export function firstDue(definition: PullDefinition, nowMs: number): number | null {
  if (definition.schedule === undefined || definition.paused) return null;
  return nextDueAfter(definition.schedule, nowMs);
}

export interface DueFacts {
  readonly schedule: Schedule;
  readonly nextDueMs: number;
  readonly nowMs: number;
  /** A run of this pull is active. */
  readonly active: boolean;
  /** A scheduled run waits already for its turn. */
  readonly queued: boolean;
  readonly misfireSeconds: number;
}

/** `start`: a run becomes active. `queue`: one waits for its turn. `skip`: nothing, but the next due time. */
export interface DueVerdict {
  readonly do: "start" | "queue" | "skip";
  readonly nextDueMs: number | null;
}

/** However many due times were missed, one run follows or none: a pull reads everything since its watermark anyway. */
export function whenDue(facts: DueFacts): DueVerdict {
  const { schedule, nextDueMs, nowMs } = facts;
  const next = nextDueAfter(schedule, nowMs);
  const missed = nowMs - nextDueMs > facts.misfireSeconds * 1000;
  if (missed && schedule.misfire === "skip") return { do: "skip", nextDueMs: next };
  if (!facts.active) return { do: "start", nextDueMs: next };
  // One in the queue is enough: a second would find nothing that the first has not read.
  if (schedule.overlap === "queue" && !facts.queued) return { do: "queue", nextDueMs: next };
  return { do: "skip", nextDueMs: next };
}
