import assert from "node:assert/strict";
import { test } from "node:test";
import { type AdmissionLimits, createAdmission, createConnectionBudgets, newUsage, type Usage } from "./budgets.ts";

const HOUR_MS = 3600_000;
const limits = { sessions: 2, bytesPerDay: 1000, failedLogins: { count: 3, perMs: HOUR_MS } };
const LOGIN = "L".repeat(43);

const admission = (change: Partial<AdmissionLimits> = {}) =>
  createAdmission({
    maxSessions: 2,
    sessionsPerMinute: () => 3,
    draining: () => false,
    locked: () => false,
    journalWritable: () => true,
    monotonicMs: () => 0,
    ...change,
  });

test("places are taken and given back, once each", () => {
  const gate = admission();
  const [first, second, third] = [gate.admit(false), gate.admit(false), gate.admit(false)];
  assert.deepEqual([first.ok, second.ok, third.ok], [true, true, false]);
  assert.equal(!third.ok && third.code, "agent.busy");
  if (first.ok) for (const _ of [1, 2]) first.release();
  assert.equal(gate.running, 1);
  assert.equal(gate.admit(false).ok, true);
});

test("sessions a minute are counted over the last minute", () => {
  let nowMs = 0;
  const gate = admission({ monotonicMs: () => nowMs });
  const once = (): boolean => {
    const place = gate.admit(false);
    if (place.ok) place.release();
    return place.ok;
  };
  assert.deepEqual([once(), once(), once(), once()], [true, true, true, false]);
  nowMs = 60_000;
  assert.equal(once(), true);
});

test("draining and locked turn all but pings down; an unwritable journal turns everything down", () => {
  for (const [change, code] of [
    [{ draining: () => true }, "agent.draining"],
    [{ locked: () => true }, "agent.locked"],
  ] as const) {
    const gate = admission(change);
    const place = gate.admit(false);
    assert.equal(!place.ok && place.code, code);
    assert.equal(gate.admit(true).ok, true);
  }
  const place = admission({ journalWritable: () => false }).admit(true);
  assert.equal(!place.ok && place.code, "agent.journal_unwritable");
});

const budgets = (state: Usage, nowMs: () => number, sent = new Map<string, number>()) => {
  const stored: Usage[] = [];
  const made = createConnectionBudgets(state, sent, (next) => stored.push(structuredClone(next)), nowMs);
  return { ...made, stored };
};

test("sessions of a connection", () => {
  const { begin } = budgets(newUsage(), () => 0);
  const release = begin("erp", undefined, limits);
  begin("erp", undefined, limits);
  assert.throws(() => begin("erp", undefined, limits), { code: "limit.sessions" });
  begin("other", undefined, limits);
  release();
  release();
  begin("erp", undefined, limits);
  assert.throws(() => begin("erp", undefined, limits), { code: "limit.sessions" });
});

test("bytes of a day, counted from what the journal remembers, until midnight UTC", () => {
  let nowMs = 10 * HOUR_MS;
  const day = budgets(newUsage(), () => nowMs, new Map([["erp", 900]]));
  day.begin("erp", undefined, limits)();
  day.sent("erp", 100);
  assert.throws(() => day.begin("erp", undefined, limits), { code: "limit.bytes" });
  nowMs = 24 * HOUR_MS;
  day.begin("erp", undefined, limits)();
});

test("the breaker of failed logins: after three it opens for its time, across restarts; a success closes it", () => {
  let nowMs = 0;
  const first = budgets(newUsage(), () => nowMs);
  for (let failed = 0; failed < 3; failed += 1) {
    first.begin("erp", LOGIN, limits)();
    first.loginFailed(LOGIN);
  }
  assert.throws(() => first.begin("erp", LOGIN, limits), { code: "limit.logins" });
  first.begin("erp", "M".repeat(43), limits)();
  const restarted = budgets(first.stored.at(-1)!, () => nowMs);
  assert.throws(() => restarted.begin("erp", LOGIN, limits), { code: "limit.logins" });
  nowMs = HOUR_MS;
  restarted.begin("erp", LOGIN, limits)();
  restarted.loginSucceeded(LOGIN);
  assert.deepEqual(restarted.stored.at(-1)?.failedLogins, {});
});

test("invented logins do not grow the file for ever", () => {
  const state = newUsage();
  let nowMs = 0;
  const { loginFailed } = budgets(state, () => (nowMs += 1));
  for (let each = 0; each < 1100; each += 1) loginFailed(String(each).padStart(43, "x"));
  assert.equal(Object.keys(state.failedLogins).length, 1000);
});
