import assert from "node:assert/strict";
import { test } from "node:test";
import { createGate } from "./gate.ts";
import { createMatcher } from "./matcher.ts";
import type { Seen } from "./seen.ts";

const claim: Seen = { step: "claim" };
const block: Seen = { step: "block" };

test("a trap is sprung once, by the request that it waits for, and says whether that one goes on", async () => {
  const gate = createGate();
  const sprung: Seen[] = [];
  const spring = async (seen: Seen) => {
    sprung.push(seen);
    return "drop" as const;
  };
  const done = gate.set({ when: "before", matches: createMatcher("block", 2), spring });
  const fates = [];
  for (const seen of [claim, block, claim, block, block]) fates.push(await gate.before(seen));
  assert.deepEqual(fates, ["go", "go", "go", "drop", "go"]);
  assert.equal(await done, block);
  assert.deepEqual(sprung, [block]);
});

test("one for after a request lets it go and withholds its reply", async () => {
  const gate = createGate();
  const done = gate.set({ when: "after", matches: createMatcher("claim", 1), spring: async () => "drop" });
  const other: Seen = { step: "claim" };
  assert.equal(await gate.before(claim), "withhold");
  assert.equal(await gate.before(other), "go");
  assert.equal(await gate.after(other), "go");
  assert.equal(await gate.after(claim), "drop");
  assert.equal(await done, claim);
});

test("looks into the wake index are not counted", async () => {
  const gate = createGate();
  void gate.set({ when: "before", matches: (_, nth) => nth === 2, spring: async () => "drop" });
  assert.equal(await gate.before(claim), "go");
  assert.equal(await gate.before({ step: "wake list" }), "go");
  assert.equal(await gate.before(block), "drop");
});

test("a trap that is cleared strikes nobody", async () => {
  const gate = createGate();
  void gate.set({ when: "before", matches: () => true, spring: async () => "drop" });
  assert.equal(gate.isSet, true);
  gate.clear();
  assert.equal(gate.isSet, false);
  assert.equal(await gate.before(claim), "go");
});

test("a trap that fails tells whoever has set it, and its request goes nowhere", async () => {
  const gate = createGate();
  const set = gate.set({ when: "before", matches: () => true, spring: () => Promise.reject(new Error("no process")) });
  assert.equal(await gate.before(claim), "drop");
  await assert.rejects(set, /no process/);
});
