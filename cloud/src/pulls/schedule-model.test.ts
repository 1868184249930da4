/** The schedule against the plainest model there is: every minute is looked at, and its clock is compared with the cron. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Schedule } from "@sallyport/shared/schema/pull.ts";
import fc from "fast-check";
import { nextDueAfter, shiftOf, whenDue } from "./schedule.ts";

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

const schedule = (more: Partial<Schedule>): Schedule => ({
  ...{ cron: "* * * * *", timezone: "UTC", misfire: "once", overlap: "skip", jitterSeconds: 0 },
  ...more,
});

/** What a clock on the wall of that zone shows. */
function clockOf(timezone: string): (instantMs: number) => string {
  const format = new Intl.DateTimeFormat("sv-SE", { timeZone: timezone, dateStyle: "short", timeStyle: "short" });
  return (instantMs) => format.format(instantMs);
}

/** One field of a cron: the numbers it names. */
function numbersOf(field: string, first: number, last: number): Set<number> {
  const numbers = new Set<number>();
  for (const part of field.split(",")) {
    const [range = "", step = "1"] = part.split("/");
    const [from = "", to = from] = range === "*" ? [String(first), String(last)] : range.split("-");
    const until = range.includes("-") || range === "*" || !part.includes("/") ? Number(to) : last;
    for (let number = Number(from); number <= until; number += Number(step)) numbers.add(number);
  }
  return numbers;
}

function matches(cron: string): (shown: string) => boolean {
  const [minute = "", hour = "", day = "", month = "", weekday = ""] = cron.split(" ");
  const minutes = numbersOf(minute, 0, 59);
  const hours = numbersOf(hour, 0, 23);
  const days = numbersOf(day, 1, 31);
  const months = numbersOf(month, 1, 12);
  const weekdays = numbersOf(weekday, 0, 7);
  return (shown) => {
    const [year = 0, monthNow = 0, dayNow = 0, hourNow = 0, minuteNow = 0] = shown.split(/\D/).map(Number);
    const weekdayNow = new Date(Date.UTC(year, monthNow - 1, dayNow)).getUTCDay();
    const isWeekday = weekdays.has(weekdayNow) || (weekdayNow === 0 && weekdays.has(7));
    // As in every cron: where both are restricted, either will do.
    const isDay = day === "*" || weekday === "*" ? days.has(dayNow) && isWeekday : days.has(dayNow) || isWeekday;
    return minutes.has(minuteNow) && hours.has(hourNow) && months.has(monthNow) && isDay;
  };
}

/** All due times in (from, to], one minute after the other. */
function dueBetween({ cron, timezone }: Schedule, from: number, to: number): number[] {
  const clock = clockOf(timezone);
  const isDue = matches(cron);
  const everyHour = /^\S+ \*/.test(cron);
  const shown = new Set<string>();
  const due: number[] = [];
  const start = Math.floor(from / MINUTE_MS) * MINUTE_MS - DAY_MS;
  let before = clock(start - MINUTE_MS);
  for (let at = start; at <= to; at += MINUTE_MS) {
    const now = clock(at);
    const skipped = between(before, now).some(isDue);
    const again = shown.has(now);
    if ((skipped || (isDue(now) && (!again || everyHour))) && at > from) due.push(at);
    shown.add(now);
    before = now;
  }
  return due;
}

/** The minutes that a clock skips between two that follow each other. */
function between(before: string, now: string): string[] {
  const [from, to] = [before, now].map((text) => Date.parse(`${text.replace(" ", "T")}:00Z`));
  const skipped: string[] = [];
  for (let at = from! + MINUTE_MS; at < to!; at += MINUTE_MS) {
    skipped.push(new Date(at).toISOString().slice(0, 16).replace("T", " "));
  }
  return skipped;
}

/** All due times in (from, to] as the product finds them. */
function listed(given: Schedule, from: number, to: number): number[] {
  const due: number[] = [];
  for (let at = nextDueAfter(given, from); at !== null && at <= to; at = nextDueAfter(given, at)) due.push(at);
  return due;
}

const ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Santiago"];
/** Days with a change of some zone's clocks, and one without. */
const DAYS = [
  "2026-03-08",
  "2026-03-29",
  "2026-04-05",
  "2026-09-06",
  "2026-10-04",
  "2026-10-25",
  "2026-11-01",
  "2026-06-15",
];

const minute = fc.oneof(
  fc.constantFrom("*", "*/15", "*/20", "0,30", "5-10"),
  fc.integer({ min: 0, max: 59 }).map(String),
);
const hour = fc.oneof(
  fc.constantFrom("*", "*/2", "1-3", "0,2", "1,2,3"),
  fc.integer({ min: 0, max: 4 }).map(String),
  fc.integer({ min: 0, max: 23 }).map(String),
);
const day = fc.constantFrom("*", "*", "*", "1-15", "*/2");
const weekday = fc.constantFrom("*", "*", "*", "0", "1-5", "6,7");
const cron = fc.tuple(minute, hour, day, weekday).map(([m, h, d, w]) => `${m} ${h} ${d} * ${w}`);

describe("due times", () => {
  it("are those of a clock on the wall that is looked at every minute, at both changes of every zone", () => {
    const crons = ["30 2 * * *", "*/20 2 * * *", "0 * * * *", "15 1,2,3 * * *", "0 0 * * *", "*/30 */2 * * *"];
    let changes = 0;
    for (const timezone of ZONES) {
      for (const date of DAYS) {
        const from = Date.parse(`${date}T00:00:00Z`) - DAY_MS / 2;
        const to = from + 2 * DAY_MS;
        const clock = clockOf(timezone);
        const passed = Date.parse(`${clock(to)}Z`) - Date.parse(`${clock(from)}Z`);
        if (passed === to - from) continue;
        changes += 1;
        for (const text of crons) {
          const given = schedule({ cron: text, timezone });
          assert.deepEqual(listed(given, from, to), dueBetween(given, from, to), `${text} ${timezone} ${date}`);
        }
      }
    }
    assert.equal(changes, 8);
  });

  it("are so for any cron, zone and hour", () => {
    const start = fc.tuple(fc.constantFrom(...DAYS), fc.integer({ min: -12 * 60, max: 24 * 60 }));
    fc.assert(
      fc.property(cron, fc.constantFrom(...ZONES), start, (text, timezone, [date, minutes]) => {
        const given = schedule({ cron: text, timezone });
        const from = Date.parse(`${date}T00:00:00Z`) + minutes * MINUTE_MS + 1234;
        const to = from + DAY_MS;
        assert.deepEqual(listed(given, from, to), dueBetween(given, from, to));
      }),
      { numRuns: 60 },
    );
  });

  it("a pull's share of the jitter is its own, and moves every due time by the same", () => {
    const given = schedule({ cron: "0 2 * * *", jitterSeconds: 1800 });
    const shifts = Array.from({ length: 200 }, (_, at) => shiftOf(given, { tenant: "acme", pull: `p${at}` }));
    assert.ok(shifts.every((shift) => shift >= 0 && shift < 1_800_000 && shift % 1000 === 0));
    assert.ok(new Set(shifts).size > 150);
    assert.equal(shiftOf(given, { tenant: "acme", pull: "p1" }), shifts[1]);
    const first = nextDueAfter(given, 0, 90_000)!;
    assert.equal(first, 2 * 3600_000 + 90_000);
    assert.equal(nextDueAfter(given, first, 90_000), first + DAY_MS);
    assert.equal(nextDueAfter(given, first - 1, 90_000), first);
  });
});

interface Day {
  readonly runs: { readonly dueMs: number; readonly startedMs: number }[];
  readonly due: readonly number[];
}

/** Ticks every minute but during a standstill; each run takes `runMinutes`. What the product's verdicts lead to. */
function simulate(given: Schedule, from: number, still: [number, number], runMinutes: number): Day {
  const runs: { dueMs: number; startedMs: number }[] = [];
  let nextDue = nextDueAfter(given, from);
  let freeAt = 0;
  let queuedDue: number | undefined;
  const to = from + 4 * DAY_MS;
  const begin = (dueMs: number, at: number) => {
    runs.push({ dueMs, startedMs: at });
    freeAt = at + runMinutes * MINUTE_MS;
  };
  for (let at = from; at <= to; at += MINUTE_MS) {
    if (at >= still[0] && at < still[1]) continue;
    if (queuedDue !== undefined && at >= freeAt) {
      begin(queuedDue, at);
      queuedDue = undefined;
    }
    if (nextDue === null || nextDue > at) continue;
    const facts = {
      schedule: given,
      shiftMs: 0,
      nextDueMs: nextDue,
      nowMs: at,
      active: at < freeAt,
      misfireSeconds: 300,
    };
    const verdict = whenDue({ ...facts, queued: queuedDue !== undefined });
    if (verdict.do === "start") begin(nextDue, at);
    if (verdict.do === "queue") queuedDue = nextDue;
    if (verdict.do !== "hold") nextDue = verdict.nextDueMs;
  }
  return { runs, due: dueBetween(given, from, to) };
}

describe("a day of standstill", () => {
  const from = Date.parse("2026-03-28T00:00:00Z");
  const still: [number, number] = [from + DAY_MS, from + 2 * DAY_MS];
  const inStill = (at: number) => at > still[0] - 300_000 && at < still[1] - 300_000;
  const wish = fc.record({
    cron: fc.constantFrom("0 * * * *", "30 2 * * *", "*/20 6-9 * * *", "15 */3 * * *"),
    timezone: fc.constantFrom(...ZONES),
    misfire: fc.constantFrom("once" as const, "all" as const, "skip" as const),
    overlap: fc.constantFrom("skip" as const, "queue" as const),
  });

  it("short runs: every due time outside gets one run, and the rule says how many follow from the standstill", () => {
    fc.assert(
      fc.property(wish, (more) => {
        const given = schedule(more);
        const { runs, due } = simulate(given, from, still, 1);
        // Near the standstill's edges a due time may be missed, late, or one with its neighbour.
        const ordinary = due.filter((at) => at < still[0] - 300_000 || at > still[1] + 300_000);
        const lost = due.filter(inStill);
        const started = runs.map(({ dueMs }) => dueMs);
        assert.equal(new Set(started).size, started.length, "no due time gets two runs");
        assert.deepEqual(
          ordinary.filter((at) => !started.includes(at)),
          [],
        );
        assert.deepEqual(
          started.filter((at) => !due.includes(at)),
          [],
        );
        const caughtUp = runs.filter(({ dueMs }) => inStill(dueMs));
        if (more.misfire === "all")
          assert.deepEqual(
            caughtUp.map(({ dueMs }) => dueMs),
            lost,
          );
        else if (more.misfire === "skip") assert.deepEqual(caughtUp, []);
        else assert.equal(caughtUp.length, Math.min(1, lost.length));
        // Nothing before its time, and in normal times within the next minute.
        for (const { dueMs, startedMs } of runs) assert.ok(startedMs >= dueMs);
        for (const { dueMs, startedMs } of runs) {
          if (dueMs < still[0] - DAY_MS / 2) assert.ok(startedMs - dueMs <= MINUTE_MS);
        }
      }),
      { numRuns: 24 },
    );
  });

  it("long runs never overlap; those due meanwhile are skipped, or one of them waits", () => {
    fc.assert(
      fc.property(wish, fc.integer({ min: 30, max: 200 }), (more, runMinutes) => {
        const { runs } = simulate(schedule(more), from, still, runMinutes);
        for (const [at, run] of runs.entries()) {
          const next = runs[at + 1];
          if (next) assert.ok(next.startedMs >= run.startedMs + runMinutes * MINUTE_MS);
        }
        assert.ok(runs.length > 1);
        const late = runs.filter(({ dueMs, startedMs }) => startedMs - dueMs > 300_000);
        if (more.overlap === "skip" && more.misfire === "skip") assert.deepEqual(late, []);
      }),
      { numRuns: 8 },
    );
  });
});
