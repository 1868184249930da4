/** A run's mask key, held against the hello of whoever is dialled: before anything is sealed. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FRAME } from "@sallyport/shared/protocol/frames.ts";
import { begin, emptyEnd, serveOnce } from "./session-agent.ts";
import { first, makeSessions, noRows, orchestrator, request, second } from "./session-orchestrator.ts";

describe("a session of a run that hashed", () => {
  it("an agent that hashes with another mask key than the run's is asked for nothing; the next one is", async (t) => {
    const planned = "m".repeat(43);
    const pinned = { ...request, maskKey: planned };
    const { bench, seen, run } = await makeSessions(t);
    const another = serveOnce(bench, first, async (end) => {
      end.socket.send((await end.hello({ maskKey: "n".repeat(43) })).record);
      assert.equal(await end.next(), undefined, "nothing is sealed for it");
    });
    const same = serveOnce(bench, second, async (end) => {
      const session = await begin(end, second, orchestrator.publicJwk, { maskKey: planned });
      session.say(FRAME.end, emptyEnd());
    });
    await Promise.all([another.listening, same.listening]);
    assert.equal((await run(noRows, undefined, pinned)).ok, true);
    await Promise.all([another.served, same.served]);
    assert.deepEqual(seen, { signed: 1, alerts: [] });
  });

  for (const hello of [{ maskKey: "n".repeat(43) }, { maskKey: null }]) {
    it(`without an agent that has the run's mask key it is refused, hello ${hello.maskKey ?? "without one"}`, async (t) => {
      const { bench, seen, run } = await makeSessions(t);
      const { listening, served } = serveOnce(bench, first, async (end) => {
        end.socket.send((await end.hello(hello)).record);
        assert.equal(await end.next(), undefined);
      });
      await listening;
      const outcome = await run(noRows, undefined, { ...request, maskKey: "m".repeat(43) });
      await served;
      assert.ok(!outcome.ok && outcome.code === "agent.mask_key");
      assert.equal(outcome.detail.agent, first.id);
      assert.equal(seen.signed, 0);
    });
  }
});
