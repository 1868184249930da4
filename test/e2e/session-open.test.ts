import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import type { SessionDeps } from "@sallyport/cloud/src/sessions/open.ts";
import type { Consumer } from "@sallyport/cloud/src/sessions/session.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { FRAME, jsonBody } from "@sallyport/shared/protocol/frames.ts";
import { nextAccept } from "../emulators/relay/clients.ts";
import { track } from "../emulators/relay/tracking.ts";
import { begin, emptyEnd, rejectOnce, SITE, serveOnce } from "./session-agent.ts";
import { first, makeSessions, noRows, orchestrator, request, SCHEMA, second } from "./session-orchestrator.ts";

describe("a session through the relay", () => {
  it("seals the one request to the agent that was dialled, and gives its end", async (t) => {
    const { bench, seen, run } = await makeSessions(t);
    const { listening, served } = serveOnce(bench, first, async (end) => {
      const session = await begin(end, first, orchestrator.publicJwk);
      const { id, tenant, connection, caller, credential, operation } = session.request;
      assert.deepEqual([id, tenant, connection, caller], [request.requestId, "contoso", "erp", "pull:orders"]);
      assert.deepEqual(operation, request.operation);
      assert.deepEqual(credential, { form: "plain", user: "svc", password: "geheim", signIn: "sql" });
      session.say(FRAME.schema, SCHEMA);
      session.say(FRAME.end, emptyEnd());
      assert.equal(await end.next(), undefined, "the orchestrator closes after the end");
    });
    await listening;
    const policies: string[] = [];
    const schema: Consumer["schema"] = async ({ policy, agent }) => void policies.push(agent, policy);
    const outcome = await run({ ...noRows, schema });
    await served;
    assert.ok(outcome.ok && outcome.complete);
    assert.equal(policies[0], first.id);
    assert.match(policies[1]!, /^[\w-]{43}$/);
    assert.deepEqual(seen, { signed: 1, alerts: [] });
  });

  it("goes to the next agent when the first one has no listener", async (t) => {
    const { bench, run } = await makeSessions(t);
    const { listening, served } = serveOnce(bench, second, async (end) => {
      (await begin(end, second, orchestrator.publicJwk)).say(FRAME.end, emptyEnd());
    });
    await listening;
    assert.equal((await run()).ok, true);
    await served;
  });

  for (const code of ["agent.busy", "agent.draining", "agent.locked"] as const) {
    it(`goes to the next agent when the first one says ${code}`, async (t) => {
      const { bench, run } = await makeSessions(t);
      await rejecting(bench, t, code);
      const { listening, served } = serveOnce(bench, second, async (end) => {
        (await begin(end, second, orchestrator.publicJwk)).say(FRAME.end, emptyEnd());
      });
      await listening;
      assert.equal((await run()).ok, true);
      await served;
    });
  }

  it("goes to the next agent when the first one dies before its hello: nothing was sealed", async (t) => {
    const reached: string[] = [];
    const { bench, seen, run } = await makeSessions(t, {
      reached: async (_tenant, _site, agent, hello) => void reached.push(agent, String(hello.maxSessions)),
    });
    const dying = serveOnce(bench, first, async (end) => end.socket.terminate());
    const { listening, served } = serveOnce(bench, second, async (end) => {
      (await begin(end, second, orchestrator.publicJwk)).say(FRAME.end, emptyEnd());
    });
    await Promise.all([dying.listening, listening]);
    assert.equal((await run()).ok, true);
    await Promise.all([dying.served, served]);
    assert.equal(seen.signed, 1);
    assert.deepEqual(reached, [second.id, "4"]);
  });

  it("is refused with the last agent's word when none takes it", async (t) => {
    const { bench, run } = await makeSessions(t);
    void rejectOnce(bench, second, 503, "agent.busy: 4 sessions", t);
    await bench.relay.listening(second.path);
    const outcome = await run();
    assert.ok(!outcome.ok);
    assert.deepEqual([outcome.code, outcome.detail], ["agent.busy", { status: 503 }]);
  });

  it("finds the agent's word before what a relay may add to it", async (t) => {
    const { bench, run } = await makeSessions(t);
    void rejectOnce(bench, second, 503, track("agent.draining", "relay.servicebus.windows.net").text, t);
    await bench.relay.listening(second.path);
    const outcome = await run();
    assert.ok(!outcome.ok);
    assert.deepEqual([outcome.code, outcome.detail], ["agent.draining", { status: 503 }]);
  });

  it("a refusal in words that are no code of an agent's is agent.offline", async (t) => {
    for (const words of ["policy.denied", "agent.bored", "agent.", ".agent.busy", "whatever", ""]) {
      const { bench, run } = await makeSessions(t);
      void rejectOnce(bench, second, 503, words, t);
      await bench.relay.listening(second.path);
      const outcome = await run();
      assert.ok(!outcome.ok && outcome.code === "agent.offline", words);
    }
  });

  it("without agents, or a relay that answers, is agent.offline", async (t) => {
    const none = await makeSessions(t, { candidates: async () => [] });
    const outcome = await none.run();
    assert.ok(!outcome.ok && outcome.code === "agent.offline");
    const gone = await makeSessions(t);
    await gone.bench.relay.stop();
    const refused = await gone.run();
    assert.ok(!refused.ok && refused.code === "agent.offline");
  });
});

const rejecting = async (
  bench: Awaited<ReturnType<typeof makeSessions>>["bench"],
  t: TestContext,
  code: string,
): Promise<void> => {
  void rejectOnce(bench, first, 503, code, t);
  await bench.relay.listening(first.path);
};

describe("a hello that is not the dialled agent's for this connection", () => {
  /** The agent answers with `hello` in its own way; what the orchestrator made of it. */
  async function refusedHello(t: TestContext, say: Parameters<typeof serveOnce>[2], over: Partial<SessionDeps> = {}) {
    const { bench, seen, run } = await makeSessions(t, over);
    const { listening, served } = serveOnce(bench, first, async (end) => {
      await say(end);
      assert.equal(await end.next(), undefined, "nothing is sealed for it");
    });
    await listening;
    const outcome = await run();
    await served;
    assert.equal(seen.signed, 0);
    assert.ok(!outcome.ok);
    return { code: outcome.code, alerts: seen.alerts };
  }
  const alertOf = (reason: string) => [["hello refused", { agent: first.id, site: SITE, reason }]];

  it("another genuine agent's: refused with an alert, and nothing is sealed", async (t) => {
    const { code, alerts } = await refusedHello(t, async (end) => {
      end.socket.send((await end.hello({ agent: second.id }, second.pair)).record);
    });
    assert.deepEqual([code, alerts], ["protocol.hello", alertOf("kid")]);
  });
  it("another agent's, though under this one's key id", async (t) => {
    const { code, alerts } = await refusedHello(t, async (end) => {
      end.socket.send((await end.hello({}, { ...second.pair, kid: first.pair.kid })).record);
    });
    assert.deepEqual([code, alerts], ["protocol.hello", alertOf("signature")]);
  });
  it("of an agent that was revoked while it was dialled", async (t) => {
    const say: Parameters<typeof serveOnce>[2] = async (end) => end.socket.send((await end.hello()).record);
    const { code } = await refusedHello(t, say, { isCurrent: async () => false });
    assert.equal(code, "agent.revoked");
  });
  it("for another challenge", async (t) => {
    const { code, alerts } = await refusedHello(t, async (end) => {
      end.socket.send((await end.hello({ challenge: "A".repeat(43) })).record);
    });
    assert.deepEqual([code, alerts], ["protocol.hello", alertOf("challenge")]);
  });
  it("replayed from an earlier session of the same agent", async (t) => {
    let recorded: Uint8Array | undefined;
    const earlier = await makeSessions(t);
    const { listening, served } = serveOnce(earlier.bench, first, async (end) => {
      recorded = (await end.hello()).record;
      end.socket.send(recorded);
      await end.next();
      end.socket.terminate();
    });
    await listening;
    await earlier.run();
    await served;
    assert.equal(earlier.seen.signed, 1);
    const { code, alerts } = await refusedHello(t, async (end) => end.socket.send(recorded!));
    assert.deepEqual([code, alerts], ["protocol.hello", alertOf("challenge")]);
  });
  it("of another site", async (t) => {
    const { code, alerts } = await refusedHello(t, async (end) => {
      end.socket.send((await end.hello({ site: "bergen" })).record);
    });
    assert.deepEqual([code, alerts], ["protocol.hello", alertOf("site")]);
  });
  it("of an agent that does not offer the operation", async (t) => {
    const { code, alerts } = await refusedHello(t, async (end) => {
      end.socket.send((await end.hello({ operations: ["agent.ping"] })).record);
    });
    assert.deepEqual([code, alerts], ["agent.version", []]);
  });
  it("as text, of another kind, or too large", async (t) => {
    const record = Buffer.alloc(8193, 1);
    for (const message of ["hello", Buffer.from([3, 1, 2]), record]) {
      const { code } = await refusedHello(t, async (end) => end.socket.send(message));
      assert.equal(code, "protocol.order");
    }
  });
});

describe("a session that breaks off", () => {
  it("before the hello is truncated", async (t) => {
    const { bench, run } = await makeSessions(t);
    const { listening, served } = serveOnce(bench, first, async (end) => end.socket.close());
    await listening;
    const outcome = await run();
    await served;
    assert.ok(!outcome.ok && outcome.code === "protocol.truncated");
  });
  it("while its request is sealed is truncated at once, not after a minute of silence", async (t) => {
    const gone = Promise.withResolvers<void>();
    const { bench, run } = await makeSessions(t, {
      credentialOf: async () => {
        await gone.promise;
        return { form: "plain", user: "svc", password: "geheim", signIn: "sql" };
      },
    });
    const { listening, served } = serveOnce(bench, first, async (end) => {
      end.socket.send((await end.hello()).record);
      end.socket.terminate();
      while (bench.relay.stats().sessionsOpen > 0) await new Promise(setImmediate);
      gone.resolve();
    });
    await listening;
    const outcome = await run();
    await served;
    assert.ok(!outcome.ok && outcome.code === "protocol.truncated");
  });
  it("after the request is truncated", async (t) => {
    const { bench, run } = await makeSessions(t);
    const { listening, served } = serveOnce(bench, first, async (end) => {
      await begin(end, first, orchestrator.publicJwk);
      end.socket.terminate();
    });
    await listening;
    const outcome = await run();
    await served;
    assert.ok(!outcome.ok && outcome.code === "protocol.truncated");
  });
  it("a missing credential is thrown, and the agent is not kept waiting", async (t) => {
    const missing = new SallyportError("secrets.unavailable", "There is none.");
    const { bench, seen, run } = await makeSessions(t, { credentialOf: () => Promise.reject(missing) });
    const { listening, served } = serveOnce(bench, first, async (end) => {
      end.socket.send((await end.hello()).record);
      assert.equal(await end.next(), undefined);
    });
    await listening;
    await assert.rejects(run(), (thrown) => thrown === missing);
    await served;
    assert.equal(seen.signed, 0);
  });
  it("a failing consumer closes the session, and its error is thrown", async (t) => {
    const broken = new SallyportError("storage.failed", "The storage is gone.");
    const { bench, run } = await makeSessions(t);
    const { listening, served } = serveOnce(bench, first, async (end) => {
      const session = await begin(end, first, orchestrator.publicJwk);
      session.say(FRAME.schema, SCHEMA);
      assert.equal(await end.next(), undefined);
    });
    await listening;
    await assert.rejects(run({ ...noRows, schema: () => Promise.reject(broken) }), (thrown) => thrown === broken);
    await served;
  });
});

describe("a session that is stopped", () => {
  it("while it is dialled is cancelled, and no second agent is tried", async (t) => {
    const { bench, run } = await makeSessions(t);
    const control = await bench.listen(first.path);
    const stop = new AbortController();
    const running = run(noRows, stop.signal);
    await nextAccept(control);
    stop.abort();
    const outcome = await running;
    assert.ok(!outcome.ok && outcome.code === "request.cancelled");
    assert.equal(bench.relay.stats().sessionsTotal, 0);
  });
  it("before it began is cancelled", async (t) => {
    const { run } = await makeSessions(t);
    const outcome = await run(noRows, AbortSignal.abort());
    assert.ok(!outcome.ok && outcome.code === "request.cancelled");
  });
  it("while the hello is awaited is cancelled", async (t) => {
    const { bench, run } = await makeSessions(t);
    const stop = new AbortController();
    const { listening, served } = serveOnce(bench, first, async (end) => {
      stop.abort();
      assert.equal(await end.next(), undefined);
    });
    await listening;
    const outcome = await run(noRows, stop.signal);
    await served;
    assert.ok(!outcome.ok && outcome.code === "request.cancelled");
  });
  it("later tells the agent, whose answer ends it", async (t) => {
    const { bench, run } = await makeSessions(t);
    const stop = new AbortController();
    const { listening, served } = serveOnce(bench, first, async (end) => {
      const session = await begin(end, first, orchestrator.publicJwk);
      stop.abort();
      assert.equal((await session.hear())?.type, FRAME.cancel);
      const error = { code: "request.cancelled", message: "Stopped.", retryable: false, detail: {} };
      session.say(FRAME.error, jsonBody(error));
      assert.equal(await end.next(), undefined);
    });
    await listening;
    const outcome = await run(noRows, stop.signal);
    await served;
    assert.ok(!outcome.ok && outcome.code === "request.cancelled" && outcome.message === "Stopped.");
  });
});
