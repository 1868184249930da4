import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Schedule } from "@sallyport/shared/schema/pull.ts";
import { afterFailure } from "./retry.ts";
import { parseDoorbell } from "./ring.ts";
import { digestOf, listHash } from "./run.ts";
import { nextDueAfter, whenDue } from "./schedule.ts";
import { DEFAULT_PULL_SETTINGS } from "./settings.ts";

const at = (text: string) => Date.parse(text);
const schedule = (more: Partial<Schedule> = {}): Schedule => ({
  cron: "30 2 * * *",
  timezone: "UTC",
  misfire: "once",
  overlap: "skip",
  jitterSeconds: 0,
  ...more,
});

describe("due times", () => {
  const next = (cron: string, timezone: string, after: string) =>
    new Date(nextDueAfter(schedule({ cron, timezone }), at(after))!).toISOString();

  it("come after the given time, in the schedule's zone", () => {
    assert.equal(next("30 2 * * *", "UTC", "2026-03-01T02:30:00Z"), "2026-03-02T02:30:00.000Z");
    assert.equal(next("0 9 * * mon", "America/New_York", "2026-01-01T00:00:00Z"), "2026-01-05T14:00:00.000Z");
    assert.equal(next("*/15 * * * *", "Asia/Kolkata", "2026-01-01T00:01:00Z"), "2026-01-01T00:15:00.000Z");
  });

  it("come once when clocks are set back, and late when they skip it", () => {
    const back = next("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z");
    assert.equal(back, "2026-10-25T00:30:00.000Z");
    assert.equal(next("30 2 * * *", "Europe/Berlin", back), "2026-10-26T01:30:00.000Z");
    assert.equal(next("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z").slice(0, 10), "2026-03-29");
  });

  it("refuse what is no five-part cron", () => {
    for (const cron of [
      "* * * *",
      "0 * * * * *",
      "@daily",
      "0 0 L * *",
      "0 0 ? * *",
      "0 0 1W * *",
      "0 0 * * 1#2",
      "x * * * *",
    ]) {
      assert.throws(() => nextDueAfter(schedule({ cron }), 0), { code: "api.invalid" }, cron);
    }
    assert.throws(() => nextDueAfter(schedule({ timezone: "Mars/Base" }), 0), { code: "api.invalid" });
    assert.notEqual(nextDueAfter(schedule({ cron: "0 0 * jul wed" }), 0), null);
  });
});

describe("what a due time leads to", () => {
  const due = at("2026-03-01T02:30:00Z");
  const facts = {
    schedule: schedule(),
    nextDueMs: due,
    nowMs: due + 1000,
    active: false,
    queued: false,
    misfireSeconds: 300,
    shiftMs: 0,
  };
  const tomorrow = at("2026-03-02T02:30:00Z");

  it("starts a run, and the next due time is after now", () => {
    assert.deepEqual(whenDue(facts), { do: "start", nextDueMs: tomorrow });
  });
  it("runs once for all that was missed, or not at all", () => {
    const nowMs = due + 5 * 86_400_000 + 1000;
    assert.deepEqual(whenDue({ ...facts, nowMs }), { do: "start", nextDueMs: due + 6 * 86_400_000 });
    const skipping = schedule({ misfire: "skip" });
    assert.equal(whenDue({ ...facts, nowMs, schedule: skipping }).do, "skip");
    assert.equal(whenDue({ ...facts, schedule: skipping }).do, "start");
  });
  it("skips or queues while a run is active, and queues only one", () => {
    assert.equal(whenDue({ ...facts, active: true }).do, "skip");
    const queueing = schedule({ overlap: "queue" });
    assert.equal(whenDue({ ...facts, active: true, schedule: queueing }).do, "queue");
    assert.equal(whenDue({ ...facts, active: true, queued: true, schedule: queueing }).do, "skip");
  });
});

describe("after a failed session", () => {
  const deadline = "2026-03-02T00:00:00.000Z";
  const now = at("2026-03-01T00:00:00Z");
  const verdict = (code: Parameters<typeof afterFailure>[1], claims: number, luck = 1, nowMs = now) =>
    afterFailure({ claims, deadline }, code, DEFAULT_PULL_SETTINGS, nowMs, luck);

  it("a permanent error fails the run, a changed plan supersedes it", () => {
    assert.deepEqual(verdict("value.not_exact", 1), { do: "fail" });
    assert.deepEqual(verdict("request.plan_changed", 1), { do: "supersede" });
  });
  it("the pause doubles, is shortened by luck, and is bounded", () => {
    const pause = (claims: number, luck: number) => {
      const result = verdict("connection.lost", claims, luck);
      assert.ok(result.do === "wait" && result.costsClaim);
      return (result.notBeforeMs - now) / 1000;
    };
    assert.deepEqual([pause(1, 1), pause(2, 1), pause(3, 1), pause(3, 0)], [10, 20, 40, 20]);
    const many = afterFailure(
      { claims: 30, deadline },
      "connection.lost",
      { ...DEFAULT_PULL_SETTINGS, claims: 99 },
      now,
      1,
    );
    assert.ok(many.do === "wait" && many.notBeforeMs === now + 900_000);
  });
  it("the budget of claims ends it, but an offline agent costs none", () => {
    assert.deepEqual(verdict("connection.lost", 5), { do: "fail" });
    assert.deepEqual(verdict("agent.offline", 5), { do: "wait", notBeforeMs: now + 30_000, costsClaim: false });
  });
  it("waits no longer than to the deadline", () => {
    const late = at(deadline) - 5000;
    assert.deepEqual(verdict("agent.offline", 1, 1, late), {
      do: "wait",
      notBeforeMs: at(deadline),
      costsClaim: false,
    });
  });
});

describe("doorbells", () => {
  const good = { v: 1, tenant: "acme", pull: "orders", run: "8204686948042-093c97d6" };
  it("are read as object, text or bytes", () => {
    for (const body of [good, JSON.stringify(good), Buffer.from(JSON.stringify(good))]) {
      assert.equal(parseDoorbell(body).run, good.run);
    }
  });
  it("that are foreign are refused", () => {
    const bad = [
      { ...good, v: 2 },
      { ...good, more: 1 },
      { ...good, run: "../x" },
      { ...good, tenant: "A" },
      "{",
      null,
      undefined,
      7,
    ];
    for (const body of bad) assert.throws(() => parseDoorbell(body), { code: "queue.unparseable" });
  });
});

describe("digests", () => {
  it("do not depend on the order of fields, but on that of a list", () => {
    assert.equal(digestOf({ a: 1, b: { c: 2, d: [1, 2] } }), digestOf({ b: { d: [1, 2], c: 2 }, a: 1 }));
    assert.notEqual(digestOf([1, 2]), digestOf([2, 1]));
    const [x, y] = [{ sha256: "A".repeat(43) }, { sha256: `${"A".repeat(42)}E` }];
    assert.notEqual(listHash([x, y]), listHash([y, x]));
  });
});
