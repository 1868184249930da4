import assert from "node:assert/strict";
import { test } from "node:test";
import { type Soaked, soakFaults } from "./verdict.ts";

const GOOD: Soaked = {
  seconds: 60,
  pulls: [
    { pull: 1, attempts: 1 },
    { pull: 2, attempts: 4 },
  ],
  attempts: 60,
  before: { children: 2, sockets: 1 },
  after: { children: 2, sockets: 1 },
  earlyBytes: 100e6,
  endBytes: 120e6,
  alive: true,
  leastPulls: 2,
};

test("a soak that held everything has no fault", () => {
  assert.deepEqual(soakFaults(GOOD), []);
});

for (const [name, over, said] of [
  [
    "a pull that failed for good",
    {
      pulls: [
        { pull: 1, attempts: 9, failed: "agent.offline" },
        { pull: 2, attempts: 1 },
      ],
    },
    "pull 1 failed for good: agent.offline",
  ],
  ["too few pulls", { leastPulls: 3 }, "2 pulls, 3 were due"],
  ["a storm of attempts", { attempts: 61 }, "61 attempts to connect in 60 s"],
  ["a process left over", { after: { children: 3, sockets: 1 } }, "1 processes are left over"],
  ["a socket left over", { after: { children: 2, sockets: 2 } }, "1 sockets are left over"],
  ["growth", { endBytes: 121e6 }, "the supervisor grew by 21 %"],
  ["an agent that has ended", { alive: false }, "the supervisor has ended"],
] satisfies [string, Partial<Soaked>, string][]) {
  test(`${name} is found`, () => {
    assert.deepEqual(soakFaults({ ...GOOD, ...over }), [said]);
  });
}
