import assert from "node:assert/strict";
import { test } from "node:test";
import { CASES, nameOf, SCHEDULED_CASES } from "./cases.ts";
import { burstsOf, drawKills } from "./drawn.ts";

test("a seed draws the same kills again, another one others, of every kind", () => {
  const kills = drawKills(7, 200);
  assert.deepEqual(drawKills(7, 200), kills);
  assert.notDeepEqual(drawKills(8, 200), kills);
  assert.deepEqual([...new Set(kills.map(({ victim }) => victim))].sort(), [
    "executor",
    "host",
    "queue",
    "relay",
    "supervisor",
  ]);
  assert.equal(new Set(kills.map(({ when }) => when)).size, 2);
});

test("there are at least 40 designed cases, each once, for every kind of process", () => {
  const names = [...CASES.map(nameOf), ...SCHEDULED_CASES.map((each) => `scheduled ${nameOf(each)}`)];
  assert.ok(names.length >= 40);
  assert.equal(new Set(names).size, names.length);
  assert.equal(new Set(CASES.map(({ victim }) => victim)).size, 5);
});

test("kills of one run are kept together, and none is left out", () => {
  const kills = drawKills(7, 200);
  const bursts = burstsOf(kills);
  assert.deepEqual(bursts.flat(), kills);
  assert.ok(bursts.every(([, ...others]) => others.every(({ again }) => again)));
  assert.ok(bursts.slice(1).every(([first]) => !first!.again));
  assert.ok(bursts.some((burst) => burst.length > 1));
});
