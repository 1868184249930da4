import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { createLoad, healthOf } from "./choice.ts";

const nowMs = Date.parse("2026-01-01T12:00:00Z");
const ago = (minutes: number) => new Date(nowMs - minutes * 60_000).toISOString();
const canary = (minutes: number) => ({ id: "a".repeat(32), sentAt: ago(minutes) });
const agent = {
  seenAt: ago(10),
  reachedAt: ago(20),
  canary: canary(5),
  canaryCode: null,
  updates: null,
  versionAt: null,
  journalAlert: null,
  locked: false,
  draining: false,
};

describe("an agent's health", () => {
  const cases = {
    "token lately, canary under way": [{}, "serves"],
    "never dialled yet": [{ reachedAt: null, canary: null }, "serves"],
    "the last canary came to nothing": [{ canaryCode: "agent.offline" }, "unreached"],
    "a session succeeded since that canary": [{ canaryCode: "agent.offline", reachedAt: ago(1) }, "serves"],
    locked: [{ locked: true }, "closed"],
    draining: [{ draining: true, canaryCode: "agent.offline" }, "closed"],
    "no token for longer than one lives": [{ seenAt: ago(36), reachedAt: null }, "silent"],
    "no token, but a session": [{ seenAt: ago(36), reachedAt: ago(3) }, "serves"],
    "never seen": [{ seenAt: null, reachedAt: null }, "silent"],
  } as const;
  for (const [name, [change, expected]] of Object.entries(cases)) {
    it(`${name}: ${expected}`, () => assert.equal(healthOf({ ...agent, ...change }, nowMs), expected));
  }
});

it("sessions are counted until each has ended, once", () => {
  const load = createLoad();
  const [one, two] = [load.began("a"), load.began("a")];
  load.began("b");
  one();
  one();
  assert.deepEqual([load.of("a"), load.of("b"), load.of("c")], [1, 1, 0]);
  two();
  assert.equal(load.of("a"), 0);
});
