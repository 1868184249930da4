import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { publicKeyOf } from "@sallyport/shared/crypto/jws.ts";
import { FRAME } from "@sallyport/shared/protocol/frames.ts";
import { grantFault } from "@sallyport/shared/protocol/grant.ts";
import { begin, emptyEnd, SITE, serveOnce } from "./session-agent.ts";
import { candidate, first, makeSessions, orchestrator, second, unsealKidOf } from "./session-orchestrator.ts";

describe("a credential that the customer sealed", () => {
  const sealedTo = (...agents: (typeof first)[]) => ({
    ...{ form: "sealed" as const, tenant: "contoso", site: SITE, connection: "erp" },
    parts: agents.map(({ id }) => ({ kid: unsealKidOf(id), enc: "e".repeat(1494), ciphertext: "c".repeat(64) })),
  });

  it("P6.9 goes on to the agent that the customer sealed the credential to, with a grant for its supervisor", async (t) => {
    const stored = sealedTo(second);
    const { bench, run } = await makeSessions(t, { credentialOf: async () => stored });
    const greeted = serveOnce(bench, first, async (end) => {
      end.socket.send((await end.hello()).record);
      assert.equal(await end.next(), undefined, "nothing is sealed to this one");
    });
    const { listening, served } = serveOnce(bench, second, async (end) => {
      const { request, hello, say } = await begin(end, second, orchestrator.publicJwk);
      assert.ok(request.credential?.form === "sealed");
      const { form: _form, grant, ...part } = request.credential;
      assert.deepEqual(part, stored.parts[0]);
      const { kid, enc } = part;
      const key = publicKeyOf(orchestrator.publicJwk);
      assert.equal(await grantFault(grant, { hello: hello.hash, connection: "erp", kid, enc }, () => key), undefined);
      say(FRAME.end, emptyEnd());
    });
    await Promise.all([greeted.listening, listening]);
    assert.equal((await run()).ok, true);
    await Promise.all([greeted.served, served]);
  });

  it("P6.9 where no agent of the site can open it, says so; where one of them is only away, waits for that one", async (t) => {
    const { bench, run } = await makeSessions(t, {
      credentialOf: async () => sealedTo(),
      candidates: async () => [candidate(first)],
    });
    const { listening, served } = serveOnce(bench, first, async (end) => {
      end.socket.send((await end.hello()).record);
      assert.equal(await end.next(), undefined);
    });
    await listening;
    const outcome = await run();
    assert.ok(!outcome.ok && outcome.code === "credential.not_sealed");
    assert.deepEqual(outcome.detail, { agent: first.id, connection: "erp" });
    await served;

    const both = await makeSessions(t, { credentialOf: async () => sealedTo(second) });
    const again = serveOnce(both.bench, first, async (end) => {
      end.socket.send((await end.hello()).record);
      assert.equal(await end.next(), undefined);
    });
    await again.listening;
    const waits = await both.run();
    assert.ok(!waits.ok && waits.code === "agent.offline");
    await again.served;
  });
});
