import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Clock } from "../../clock.ts";
import type { Answer, Question } from "../../install/windows/native-child.ts";
import { platformByAsking, startAndAwait } from "./start.ts";

/** Windows, whose updater is in these states one after the other. */
function machine(...states: readonly string[]) {
  const asked: Question[] = [];
  let at = 0;
  let nowMs = 0;
  const ask = (question: Question): Answer => {
    asked.push(question);
    if (question.ask === "startUpdater") return { isStarted: true };
    const state = states[Math.min(at++, states.length - 1)];
    return { service: state === undefined ? null : { command: '"/v/1.0.0/sallyport.exe" service host', state } };
  };
  const clock: Clock = {
    ...{ wallMs: () => nowMs, monotonicMs: () => nowMs },
    async sleep(ms) {
      nowMs += ms;
    },
  };
  return { ask, asked, clock };
}

describe("the updater, asked for by whoever loads no FFI", () => {
  it("is started, and waited for until it has ended", async () => {
    const { ask, asked, clock } = machine("startPending", "running", "stopped");
    await startAndAwait(60_000, ask, clock);
    const service = { ask: "service", name: "SallyportUpdate" };
    assert.deepEqual(asked, [{ ask: "startUpdater" }, service, service, service]);
  });

  it("is not waited for for ever", async () => {
    const { ask, clock } = machine("running");
    await assert.rejects(startAndAwait(10_000, ask, clock), /SallyportUpdate goes on/);
  });

  it("says which version runs, where there is a service at all", () => {
    assert.equal(platformByAsking({ versions: "/v" }, machine("stopped").ask).versionOf("Sallyport"), "1.0.0");
    assert.equal(platformByAsking({ versions: "/w" }, machine("stopped").ask).versionOf("Sallyport"), undefined);
    assert.equal(platformByAsking({ versions: "/v" }, machine().ask).versionOf("Sallyport"), undefined);
  });
});
