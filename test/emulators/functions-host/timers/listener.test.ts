import assert from "node:assert/strict";
import { test } from "node:test";
import type { TimerFunction } from "../functions.ts";
import type { InvocationInput } from "../rpc.ts";
import { StartProblem } from "../start-problem.ts";
import { type Clock, readSchedule, runTimer } from "./listener.ts";

const START = Date.parse("2026-11-22T10:00:00Z");

function timer(schedule: string, runOnStartup = false): TimerFunction {
  const registered = { metadata: { name: "ticks", bindings: {} }, callback: () => undefined };
  return { kind: "timer", name: "ticks", triggerName: "t", registered, schedule, runOnStartup };
}

/** Runs a timer on a clock that sleeping moves, each run taking the next of the given times, until they are used up. */
async function runs(fn: TimerFunction, durationsMs: readonly number[]) {
  let nowMs = START;
  let running = 0;
  const stop = new AbortController();
  const seen: { second: number; IsPastDue: boolean; Last: string; Next: string }[] = [];
  const clock: Clock = {
    nowMs: () => nowMs,
    sleep: async (ms) => {
      nowMs += ms;
    },
  };
  const invoke = async (_fn: unknown, input: InvocationInput) => {
    running += 1;
    assert.equal(running, 1, "a timer never overlaps itself");
    const info = JSON.parse(input.inputData[0]?.data.json ?? "");
    seen.push({ second: (nowMs - START) / 1000, IsPastDue: info.IsPastDue, ...info.ScheduleStatus });
    nowMs += durationsMs[seen.length - 1] ?? 0;
    await Promise.resolve();
    running -= 1;
    if (seen.length === durationsMs.length) stop.abort();
    if (seen.length % 2 === 1) throw new Error("a failed run changes nothing");
    return {};
  };
  await runTimer(fn, readSchedule(fn), { invoke }, stop.signal, clock);
  return seen.map(({ second, IsPastDue, Last, Next }) => ({ second, IsPastDue, Last, Next }));
}

test("a timer runs at its times and says what was and what will be", async () => {
  assert.deepEqual(await runs(timer("0 * * * * *"), [0, 0]), [
    { second: 60, IsPastDue: false, Last: "0001-01-01T00:00:00+00:00", Next: "2026-11-22T10:02:00.000Z" },
    { second: 120, IsPastDue: false, Last: "2026-11-22T10:01:00.000Z", Next: "2026-11-22T10:03:00.000Z" },
  ]);
});

test("what a long run missed is made up for once, past due, and then the schedule goes on", async () => {
  const seen = await runs(timer("0 * * * * *"), [200_000, 0, 0]);
  assert.deepEqual(
    seen.map(({ second, IsPastDue }) => [second, IsPastDue]),
    [
      [60, false],
      [260, true],
      [300, false],
    ],
  );
});

test("runOnStartup runs at once", async () => {
  const seen = await runs(timer("0 0 * * * *", true), [0, 0]);
  assert.deepEqual(
    seen.map(({ second }) => second),
    [0, 3600],
  );
});

test("a bad schedule names the function", () => {
  assert.throws(
    () => readSchedule(timer("* * * * *")),
    (error) => error instanceof StartProblem && /'ticks'/.test(error.message),
  );
});
