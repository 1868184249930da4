/** An agent that has to show that its version works is pinged at the next tick, until something has reached it. */
import assert from "node:assert/strict";
import { it } from "node:test";
import type { Agent } from "../store/agents.ts";
import type { Stored } from "../store/record.ts";
import { chooseDue } from "./canary.ts";
import { startsTrial } from "./trial.ts";

const NOW = Date.parse("2027-02-03T04:05:06Z");
const ago = (seconds: number): string => new Date(NOW - seconds * 1000).toISOString();
const isDue = (of: Partial<Agent>): boolean => {
  const value = { enrolledAt: ago(20), reachedAt: null, canary: null, versionAt: null, ...of };
  return chooseDue([{ value } as unknown as Stored<Agent>], 300, NOW).length === 1;
};

it("a version is on trial for five minutes, or until it was reached", () => {
  assert.equal(isDue({}), false);
  assert.equal(isDue({ versionAt: ago(10) }), true);
  assert.equal(isDue({ versionAt: ago(10), reachedAt: ago(11) }), true);
  assert.equal(isDue({ versionAt: ago(60), canary: { id: "0".repeat(32), sentAt: ago(59) } }), true);
  assert.equal(isDue({ versionAt: ago(10), reachedAt: ago(9) }), false);
  assert.equal(isDue({ versionAt: ago(300) }), false);
});

it("a trial starts with another version, and with each start by an updater that waits for a proof", () => {
  const said = { mode: "notify", channel: "stable", ring: "broad", pinned: null, staged: null, last: null } as const;
  const starts = (version: string, proving: boolean): boolean =>
    startsTrial({ version, updates: { ...said, proving } }, { version: "1.1.0" });
  assert.equal(starts("1.1.0", false), false);
  assert.equal(starts("1.2.0", false), true);
  assert.equal(starts("1.1.0", true), true);
  assert.equal(startsTrial({ version: "1.1.0" }, { version: "1.1.0" }), false);
});
