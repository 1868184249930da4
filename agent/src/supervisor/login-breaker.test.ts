import assert from "node:assert/strict";
import { test } from "node:test";
import { createLoginBreaker, newUsage, type Usage } from "./login-breaker.ts";

const HOUR_MS = 3600_000;
const LIMITS = { count: 3, perMs: HOUR_MS };
const LOGIN = "L".repeat(43);

function breaker(state: Usage = newUsage(), nowMs: () => number = () => 0) {
  const stored: Usage[] = [];
  const { attempt } = createLoginBreaker(state, (next) => stored.push(structuredClone(next)), nowMs);
  const at = (server: string) => ({ connection: "erp", server });
  return { attempt: (login = LOGIN, server = "sql01:1433") => attempt(at(server), login, LIMITS), stored };
}

test("after three failures it opens for its time, across restarts; a login that is taken closes it", () => {
  let nowMs = 0;
  const first = breaker(newUsage(), () => nowMs);
  for (let failed = 0; failed < 3; failed += 1) first.attempt()("failed");
  assert.throws(() => first.attempt(), { code: "limit.logins" });
  first.attempt("M".repeat(43))("failed");
  const restarted = breaker(first.stored.at(-1)!, () => nowMs);
  assert.throws(() => restarted.attempt(), { code: "limit.logins" });
  nowMs = HOUR_MS;
  restarted.attempt()("accepted");
  assert.deepEqual(Object.keys(restarted.stored.at(-1)!.failedLogins), ["M".repeat(43)]);
});

test("a login that one server takes forgets no failure at another, nor what is being tried there", () => {
  const { attempt, stored } = breaker();
  for (const _ of [1, 2]) attempt(LOGIN, "sql02:1433")("failed");
  attempt()("accepted");
  attempt()("failed");
  assert.throws(() => attempt(LOGIN, "sql02:1433"), { code: "limit.logins" });
  const again = breaker(stored.at(-1)!);
  assert.throws(() => again.attempt(), { code: "limit.logins" });
});

test("each server that takes the login forgets its own failures, and only decided ones", () => {
  const { attempt, stored } = breaker();
  attempt(LOGIN, "sql02:1433")("failed");
  attempt()("unsent");
  const open = attempt(LOGIN, "sql02:1433");
  attempt(LOGIN, "sql02:1433")("accepted");
  assert.deepEqual(stored.at(-1)?.failedLogins[LOGIN], [0]);
  open("accepted");
  assert.deepEqual([stored.at(-1)?.failedLogins, stored.at(-1)?.failedThere], [{}, {}]);
});

test("failures that a version before noted without their server count until their time is over", () => {
  const { attempt } = breaker({ ...newUsage(), failedLogins: { [LOGIN]: [0, 0] } });
  attempt()("accepted");
  attempt()("failed");
  assert.throws(() => attempt(), { code: "limit.logins" });
});

test("an attempt stands on the disk before it is made, and a killed agent leaves it there", () => {
  const { attempt, stored } = breaker(newUsage(), () => 7);
  attempt();
  assert.deepEqual(stored.at(-1)?.failedLogins[LOGIN], [7]);
  for (const _ of [1, 2]) attempt();
  assert.throws(() => breaker(stored.at(-1)!, () => 8).attempt(), { code: "limit.logins" });
});

test("sessions at the same time get no more tries than one after the other", () => {
  const { attempt } = breaker();
  const running = [attempt(), attempt(), attempt()];
  assert.throws(() => attempt(), { code: "limit.sessions" });
  running[0]!("failed");
  assert.throws(() => attempt(), { code: "limit.sessions" });
  running[1]!("unsent");
  attempt();
  assert.throws(() => attempt(), { code: "limit.sessions" });
});

test("a login that is taken forgets failures, but not what others are trying; only its first word counts", () => {
  const { attempt, stored } = breaker();
  attempt()("failed");
  const [trying, taken] = [attempt(), attempt()];
  taken("accepted");
  assert.equal(stored.at(-1)?.failedLogins[LOGIN]?.length, 1);
  trying("failed");
  trying("accepted");
  assert.equal(stored.at(-1)?.failedLogins[LOGIN]?.length, 1);
});

test("invented logins do not grow the file for ever", () => {
  const state = newUsage();
  let nowMs = 0;
  const { attempt } = breaker(state, () => (nowMs += 1));
  for (let each = 0; each < 1100; each += 1) attempt(String(each).padStart(43, "x"))("failed");
  assert.equal(Object.keys(state.failedLogins).length, 1000);
  assert.equal(Object.keys(state.failedThere ?? {}).length, 1000);
});

test("failures that a clock of the future stamped do not count until then; a step back gives no further tries", () => {
  let nowMs = 100 * HOUR_MS;
  const { attempt } = breaker(newUsage(), () => nowMs);
  for (let failed = 0; failed < 3; failed += 1) attempt()("failed");
  nowMs -= HOUR_MS / 2;
  assert.throws(() => attempt(), { code: "limit.logins" });
  nowMs -= HOUR_MS;
  attempt()("failed");
});
