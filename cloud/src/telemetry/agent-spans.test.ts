import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { agentSpans, openedAtMs } from "./agent-spans.ts";

const AGENT = "a".repeat(32);
const waited = { sentMs: 1000, firstMs: 1150, lastMs: 1600 };
const timings = {
  ...{ firstFrameMs: 50, allowedMs: 5, loginMs: 20, acceptedMs: 30, firstRowMs: 55, lastRowMs: 400, endedMs: 410 },
};
const work = { waited, timings, operation: "sql.table", facts: { "sallyport.agent": AGENT }, code: undefined };

describe("when the agent opened the request", () => {
  it("is half of the shorter wait after it was sent: a last frame that stood in a queue says less", () => {
    // The first frame was under way for 100 ms there and back; the last one for 190.
    assert.equal(openedAtMs(waited, timings), 1050);
    const { firstFrameMs: _, ...withoutFirst } = timings;
    assert.equal(openedAtMs(waited, withoutFirst), 1095);
  });

  it("does not depend on the agent's wall clock, and never lies before the request was sent", () => {
    assert.equal(openedAtMs(waited, { endedMs: 80_000 }), 1000);
  });
});

describe("an agent's spans", () => {
  it("are its steps in a row, each below `agent`", () => {
    const { below, ...agent } = agentSpans(work);
    assert.deepEqual(agent, {
      name: "agent",
      startMs: 1050,
      endMs: 1460,
      facts: { "sallyport.agent": AGENT },
      code: undefined,
    });
    assert.deepEqual(
      below?.map(({ name, startMs, endMs }) => [name, startMs, endMs]),
      [
        ["policy", 1050, 1055],
        ["connect", 1055, 1070],
        ["login", 1070, 1080],
        ["sql", 1080, 1450],
      ],
    );
  });

  it("end at the step that failed, with its code", () => {
    for (const [reached, name, code] of [
      [{}, "policy", "policy.denied"],
      [{ allowedMs: 5 }, "connect", "connection.unreachable"],
      [{ allowedMs: 5, loginMs: 9 }, "login", "connection.login_failed"],
      [{ allowedMs: 5, loginMs: 9, acceptedMs: 12 }, "sql", "sql.syntax"],
    ] as const) {
      const { below = [] } = agentSpans({ ...work, timings: { ...reached, endedMs: 40 }, code });
      const last = below.at(-1);
      assert.deepEqual([last?.name, last?.code], [name, code]);
      assert.ok(below.slice(0, -1).every((step) => step.code === undefined));
    }
  });

  it("of a request that meets no system are what it did", () => {
    const { below } = agentSpans({ ...work, operation: "agent.ping", timings: { allowedMs: 1, endedMs: 2 } });
    assert.deepEqual(
      below?.map(({ name }) => name),
      ["policy"],
    );
  });

  it("stay within the time in which we waited, in order, whatever an agent claims", () => {
    const ms = fc.double({ min: 0, max: 86_400_000, noNaN: true });
    const claimed = fc.record(
      { firstFrameMs: ms, allowedMs: ms, loginMs: ms, acceptedMs: ms, firstRowMs: ms, lastRowMs: ms, endedMs: ms },
      { requiredKeys: ["endedMs"] },
    );
    fc.assert(
      fc.property(claimed, fc.nat(10_000), fc.nat(10_000), (timings, first, last) => {
        const waited = { sentMs: 1000, firstMs: 1000 + Math.min(first, last), lastMs: 1000 + last };
        const { below = [], ...agent } = agentSpans({ ...work, waited, timings });
        let untilMs = waited.sentMs;
        for (const step of below) {
          assert.ok(step.startMs >= untilMs && step.endMs >= step.startMs && step.endMs <= waited.lastMs);
          untilMs = step.endMs;
        }
        assert.ok(agent.startMs >= waited.sentMs && agent.endMs >= agent.startMs && agent.endMs <= waited.lastMs);
      }),
    );
  });
});
