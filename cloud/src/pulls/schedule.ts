/** When a pull is due: five-part cron in a time zone, and the rules for what was missed or comes too early. Pure. */
import { createHash } from "node:crypto";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { PullDefinition, Schedule } from "@sallyport/shared/schema/pull.ts";
import { Cron } from "croner";
import type { PullKey } from "../store/runs.ts";
import { endOfGap, instantsOf, offsetAt } from "./zone.ts";

const HOUR_MS = 3600_000;

/** Croner's own extensions (last, nearest weekday, nth, any) are no five-part cron. */
const EXTENSIONS = /[LW#?@]/i;
const NAMES = /\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|sun|mon|tue|wed|thu|fri|sat)\b/gi;

function cronOf({ cron, timezone }: Schedule): Cron {
  try {
    if (EXTENSIONS.test(cron.replace(NAMES, ""))) throw new RangeError("only digits, names and * , - / are known");
    // Throws for a zone that the platform does not know; croner itself would find out only when asked.
    new Intl.DateTimeFormat("en", { timeZone: timezone });
    // In UTC: it is asked for local times, which this file turns into instants.
    return new Cron(cron, { mode: "5-part", timezone: "UTC", paused: true });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new SallyportError("api.invalid", `The schedule is not valid: ${reason}.`, { field: "schedule" }, cause);
  }
}

/** An hour field that goes by elapsed time (every hour, every second one) rather than by the clock's hour. */
const EVERY_HOUR = /^\S+\s+\*/;

/**
 * The first due time after `afterMs`, in milliseconds; null when there is none. Throws `api.invalid`.
 *
 * A schedule means what the zone's clocks show. What they skip when they are set forward is due at the end of the gap.
 * What they show twice when they are set back is due the first time; both times where the hour is `*` or `*` with a step.
 * `shiftMs`: the pull's own share of the jitter.
 */
export function nextDueAfter(schedule: Schedule, afterMs: number, shiftMs = 0): number | null {
  const cron = cronOf(schedule);
  const { timezone } = schedule;
  const after = afterMs - shiftMs;
  const twice = EVERY_HOUR.test(schedule.cron.trim());
  // Around a change, local times before the one that clocks show may still be due.
  const offsets = [after - 3 * HOUR_MS, after, after + 3 * HOUR_MS].map((at) => offsetAt(timezone, at));
  let best: number | null = null;
  for (let local = cron.nextRun(new Date(after + Math.min(...offsets) - 1)); local; local = cron.nextRun(local)) {
    const shown = instantsOf(timezone, local.getTime());
    const instants = shown.length === 0 ? [endOfGap(timezone, local.getTime())] : twice ? shown : shown.slice(0, 1);
    // First instants never go back, so that nothing later can be earlier than this.
    if (best !== null && instants[0]! >= best) break;
    const [next] = instants.filter((instant) => instant > after);
    if (next !== undefined && (best === null || next < best)) best = next;
  }
  return best === null ? null : best + shiftMs;
}

/** A pull's own share of its schedule's jitter, always the same, so that a thousand nightly pulls do not start at once. */
export function shiftOf({ jitterSeconds }: Schedule, { tenant, pull }: PullKey): number {
  const share = createHash("sha256").update(`${tenant}|${pull}`).digest().readUInt32BE() / 2 ** 32;
  return Math.floor(jitterSeconds * share) * 1000;
}

/** The due time to store with a definition; null without a schedule, or when it is paused. */
export function firstDue(key: PullKey, definition: PullDefinition, nowMs: number): number | null {
  const { schedule, paused } = definition;
  return schedule === undefined || paused ? null : nextDueAfter(schedule, nowMs, shiftOf(schedule, key));
}

export interface DueFacts {
  readonly schedule: Schedule;
  readonly shiftMs: number;
  readonly nextDueMs: number;
  readonly nowMs: number;
  /** A run of this pull is active. */
  readonly active: boolean;
  /** A scheduled run waits already for its turn. */
  readonly queued: boolean;
  readonly misfireSeconds: number;
}

/**
 * `start`: a run becomes active. `queue`: one waits for its turn. `skip`: nothing, but the next due time. `hold`: nothing
 * at all, because this due time has still to get its run.
 */
export interface DueVerdict {
  readonly do: "start" | "queue" | "skip" | "hold";
  readonly nextDueMs: number | null;
}

/** Missed due times that are older than this get no run of their own, whatever the rule. */
const CATCH_UP_MS = 7 * 24 * HOUR_MS;

/**
 * By rule `once` one run follows however many due times were missed, by `skip` none, by `all` one for each, one after the
 * other. Pure.
 */
export function whenDue(facts: DueFacts): DueVerdict {
  const { schedule, shiftMs, nextDueMs, nowMs, active } = facts;
  const missed = nowMs - nextDueMs > facts.misfireSeconds * 1000;
  if (missed && schedule.misfire === "all") {
    if (nextDueMs < nowMs - CATCH_UP_MS) {
      return { do: "skip", nextDueMs: nextDueAfter(schedule, nowMs - CATCH_UP_MS - 1, shiftMs) };
    }
    return { do: active ? "hold" : "start", nextDueMs: nextDueAfter(schedule, nextDueMs, shiftMs) };
  }
  const next = nextDueAfter(schedule, schedule.misfire === "all" ? nextDueMs : nowMs, shiftMs);
  if (missed && schedule.misfire === "skip") return { do: "skip", nextDueMs: next };
  if (!active) return { do: "start", nextDueMs: next };
  // One in the queue is enough: a second would find nothing that the first has not read.
  if (schedule.overlap === "queue" && !facts.queued) return { do: "queue", nextDueMs: next };
  return { do: "skip", nextDueMs: next };
}
