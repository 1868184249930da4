import assert from "node:assert/strict";
import { test } from "node:test";
import { nextStep } from "./due.ts";
import { parseSchedule } from "./schedule.ts";

const at = (text: string) => Date.parse(text);

const NEXT: [schedule: string, after: string, next: string][] = [
  ["* * * * * *", "2026-11-22T10:00:00Z", "2026-11-22T10:00:01Z"],
  ["* * * * * *", "2026-11-22T10:00:00.999Z", "2026-11-22T10:00:01Z"],
  ["0 * * * * *", "2026-11-22T10:00:00Z", "2026-11-22T10:01:00Z"],
  ["0 */5 * * * *", "2026-11-22T10:01:00Z", "2026-11-22T10:05:00Z"],
  ["0 0 9-17 * * *", "2026-11-22T17:00:00Z", "2026-11-23T09:00:00Z"],
  ["0 30 9 * * 1-5", "2026-11-20T10:00:00Z", "2026-11-23T09:30:00Z"],
  ["0 30 9 * Jan Mon", "2026-11-20T10:00:00Z", "2027-01-04T09:30:00Z"],
  ["5,8,10 * * * * *", "2026-11-22T10:00:06Z", "2026-11-22T10:00:08Z"],
  // Both day fields have to match: Friday the 13th.
  ["0 0 0 13 * 5", "2026-11-22T00:00:00Z", "2027-08-13T00:00:00Z"],
];

for (const [schedule, after, next] of NEXT) {
  test(`${schedule} after ${after} is ${next}`, () => {
    assert.equal(parseSchedule(schedule).nextAfter(at(after)), at(next));
  });
}

for (const schedule of [
  "",
  "* * * * *",
  "* * * * * * *",
  "00:05:00",
  "@daily",
  "0 0 0 L * *",
  "0 0 0 15W * *",
  "0 0 0 ? * MON",
  "0 0 0 * * FRI#2",
  "0 0 0 * * 7",
  "0 0 0 * * 1-7",
  "60 * * * * *",
  "0 0 24 * * *",
  "0 0 0 0 * *",
  "x * * * * *",
]) {
  test(`"${schedule}" is refused`, () => assert.throws(() => parseSchedule(schedule), /is no NCRONTAB schedule/));
}

const everyMinute = parseSchedule("0 * * * * *");

test("before its time a timer waits", () => {
  const step = nextStep(everyMinute, at("2026-11-22T10:00:00Z"), at("2026-11-22T10:00:59.999Z"));
  assert.deepEqual(step, { do: "wait", untilMs: at("2026-11-22T10:01:00Z") });
});

test("at its time it runs", () => {
  const step = nextStep(everyMinute, at("2026-11-22T10:00:00Z"), at("2026-11-22T10:01:00.200Z"));
  assert.deepEqual(step, { do: "run", occurrenceMs: at("2026-11-22T10:01:00Z"), isPastDue: false });
});

test("late, it runs once and is past due", () => {
  const step = nextStep(everyMinute, at("2026-11-22T10:00:00Z"), at("2026-11-22T10:01:01Z"));
  assert.deepEqual(step, { do: "run", occurrenceMs: at("2026-11-22T10:01:00Z"), isPastDue: true });
});

test("a second missed within a second's tolerance is past due as well", () => {
  const step = nextStep(parseSchedule("* * * * * *"), at("2026-11-22T10:00:00.900Z"), at("2026-11-22T10:00:02Z"));
  assert.deepEqual(step, { do: "run", occurrenceMs: at("2026-11-22T10:00:01Z"), isPastDue: true });
});

test("a schedule without occurrences ends", () => {
  assert.deepEqual(nextStep(parseSchedule("0 0 0 30 2 *"), at("2026-11-22T10:00:00Z"), at("2026-11-22T10:00:00Z")), {
    do: "end",
  });
});
