import assert from "node:assert/strict";
import { test } from "node:test";
import { type AdmissionLimits, createAdmission, createConnectionBudgets } from "./budgets.ts";
import { createLoginBreaker, newUsage } from "./login-breaker.ts";

const HOUR_MS = 3600_000;
const limits = { server: "sql01:1433", sessions: 2, bytesPerDay: 1000, failedLogins: { count: 3, perMs: HOUR_MS } };

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

for (const [what, change] of [
  ["", {}],
  [", also when locked", { locked: () => true }],
] as const) {
  test(`pings have a minute's budget of their own${what}`, () => {
    let nowMs = 0;
    const gate = admission({ monotonicMs: () => nowMs, ...change });
    const once = (): boolean => {
      const place = gate.admit(true);
      if (place.ok) place.release();
      return place.ok;
    };
    const admitted = Array.from({ length: 10_000 }, once).filter(Boolean).length;
    assert.equal(admitted, 6);
    nowMs = 60_000;
    assert.equal(once(), true);
  });
}

test("draining and locked turn all but pings down; an unwritable journal turns everything down", () => {
  const refusalOf = (change: Parameters<typeof admission>[0]) => {
    const gate = admission(change);
    assert.equal(gate.admit(true).ok, true);
    const place = gate.admit(false);
    return !place.ok && place.code;
  };
  assert.equal(refusalOf({ draining: () => true }), "agent.draining");
  assert.equal(refusalOf({ locked: () => true }), "agent.locked");
  const place = admission({ journalWritable: () => false }).admit(true);
  assert.equal(!place.ok && place.code, "agent.journal_unwritable");
});

const budgets = (nowMs: () => number, sent = new Map<string, number>()) =>
  createConnectionBudgets(
    createLoginBreaker(newUsage(), () => {}, nowMs),
    sent,
    nowMs,
  );

test("sessions of a connection", () => {
  const { begin } = budgets(() => 0);
  const place = begin("erp", undefined, limits, 10);
  begin("erp", undefined, limits, 10);
  assert.throws(() => begin("erp", undefined, limits, 10), { code: "limit.sessions" });
  begin("other", undefined, limits, 10);
  place.release(0);
  place.release(0);
  begin("erp", undefined, limits, 10);
  assert.throws(() => begin("erp", undefined, limits, 10), { code: "limit.sessions" });
});

test("bytes of a day, counted from what the journal remembers, until midnight UTC", () => {
  let nowMs = 10 * HOUR_MS;
  const day = budgets(() => nowMs, new Map([["erp", 900]]));
  day.begin("erp", undefined, limits, 500).release(100);
  assert.throws(() => day.begin("erp", undefined, limits, 500), { code: "limit.bytes" });
  nowMs = 24 * HOUR_MS;
  assert.equal(day.begin("erp", undefined, limits, 500).bytes, 500);
});

test("sessions together get no more than is left of the day; what is not used is given back", () => {
  const day = budgets(() => 0, new Map([["erp", 400]]));
  const [first, second] = [day.begin("erp", undefined, limits, 500), day.begin("erp", undefined, limits, 500)];
  assert.deepEqual([first.bytes, second.bytes], [500, 100]);
  first.release(30);
  assert.equal(day.begin("erp", undefined, limits, 2000).bytes, 470);
  second.release(0);
});

test("what running sessions hold of the day is no reason to give up", () => {
  const day = budgets(() => 0);
  day.begin("erp", undefined, limits, 1000);
  assert.throws(() => day.begin("erp", undefined, limits, 1), { code: "limit.sessions" });
});

test("a session that nobody heard the end of is charged all that was reserved for it", () => {
  const day = budgets(() => 0);
  day.begin("erp", undefined, limits, 1000).release(undefined);
  assert.throws(() => day.begin("erp", undefined, limits, 1), { code: "limit.bytes" });
});

test("a place that counts a second login has failed with its first", () => {
  const once = { ...limits, failedLogins: { count: 1, perMs: HOUR_MS } };
  const { begin } = budgets(() => 0);
  const place = begin("erp", undefined, once, 10);
  place.countLogin("a");
  place.countLogin("b");
  place.release(0);
  for (const login of ["a", "b"]) assert.throws(() => begin("erp", login, once, 10), { code: "limit.logins" });
});
