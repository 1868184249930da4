/** A canary through the relay: marked as one, answered with the agent's state, and every other end a value. */
import assert from "node:assert/strict";
import { getEventListeners } from "node:events";
import { afterEach, describe, it, type TestContext } from "node:test";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { createPing } from "@sallyport/cloud/src/sessions/ping.ts";
import { generateKeyPair, signerOf } from "@sallyport/shared/crypto/identity.ts";
import { FRAME, jsonBody } from "@sallyport/shared/protocol/frames.ts";
import type { AgentState } from "@sallyport/shared/schema/liveness.ts";
import { makeBench, nextAccept, RULES } from "../emulators/relay/clients.ts";
import { begin, emptyEnd, makeAgent, rejectOnce, SITE, serveOnce } from "./session-agent.ts";

const orchestrator = await generateKeyPair("ES256");
const agent = await makeAgent(1);
const ID = "c".repeat(32);
const STATE: AgentState = {
  ...{ version: "0.2.0", policy: "p".repeat(43), maxSessions: 6, running: 2, locked: true, draining: false },
};

/** As the function app's own, which outlives every canary: what one leaves on it stays for good. */
const stopping = new AbortController().signal;

async function makePing(t: TestContext) {
  const bench = await makeBench(t);
  const trusted = getCACertificates("default");
  setDefaultCACertificates([...trusted, bench.ca]);
  t.after(() => setDefaultCACertificates(trusted));
  const alerts: string[] = [];
  const ping = createPing({
    relayHost: `localhost:${bench.relay.controlPort}`,
    signer: signerOf("ES256", orchestrator),
    authorization: async (path) => bench.token(RULES.send, path),
    alert: (what) => void alerts.push(what),
  });
  const { id, path, pair } = agent;
  const pinged = { id, path, identity: pair.publicJwk, kid: pair.kid, tenant: "contoso", site: SITE };
  return { bench, alerts, run: (signal = stopping) => ping(pinged, ID, signal) };
}

/** An agent that opens the request, and answers in its own way. */
async function answered(t: TestContext, act: (session: Awaited<ReturnType<typeof begin>>) => void) {
  const { bench, run } = await makePing(t);
  const { listening, served } = serveOnce(bench, agent, async (end) => {
    const session = await begin(end, agent, orchestrator.publicJwk);
    const { id, operation, connection, credential, caller } = session.request;
    assert.deepEqual([id, operation, connection, credential], [ID, { op: "agent.ping" }, null, null]);
    assert.match(caller, /^canary:/);
    act(session);
    assert.equal(await end.next(), undefined);
  });
  await listening;
  const outcome = await run();
  await served;
  return outcome;
}

describe("a canary", () => {
  afterEach(() => assert.equal(getEventListeners(stopping, "abort").length, 0, "it left something on the signal"));

  it("says in its connect what it is, and under which id", async (t) => {
    const { bench, run } = await makePing(t);
    const control = await bench.listen(agent.path);
    const stop = new AbortController();
    const running = run(stop.signal);
    const { id, connectHeaders } = await nextAccept(control);
    stop.abort();
    await running;
    assert.equal(id, ID);
    assert.deepEqual(
      Object.entries(connectHeaders).filter(([name]) => name.toLowerCase() === "sallyport-purpose"),
      [["Sallyport-Purpose", "ping"]],
    );
  });

  it("brings the agent's state back", async (t) => {
    const outcome = await answered(t, ({ say }) => {
      say(FRAME.result, jsonBody(STATE));
      say(FRAME.end, emptyEnd());
    });
    assert.deepEqual(outcome, { ok: true, state: STATE });
  });

  it("without a state, or with what is none, is not answered", async (t) => {
    for (const body of [undefined, { ...STATE, maxSessions: 0 }, "hello"]) {
      const outcome = await answered(t, ({ say }) => {
        if (body !== undefined) say(FRAME.result, jsonBody(body));
        say(FRAME.end, emptyEnd());
      });
      assert.deepEqual(outcome, { ok: false, code: "protocol.order" });
    }
  });

  it("that is answered with an error is not answered, and says with which", async (t) => {
    const error = { code: "request.invalid", message: "No.", retryable: false, detail: {} };
    const outcome = await answered(t, ({ say }) => say(FRAME.error, jsonBody(error)));
    assert.deepEqual(outcome, { ok: false, code: "request.invalid" });
  });

  it("to nobody, to one that turns it down, and to one with another's hello", async (t) => {
    const none = await makePing(t);
    assert.deepEqual(await none.run(), { ok: false, code: "agent.offline" });
    const busy = await makePing(t);
    void rejectOnce(busy.bench, agent, 503, "agent.busy", t);
    await busy.bench.relay.listening(agent.path);
    assert.deepEqual(await busy.run(), { ok: false, code: "agent.busy" });
    const { bench, alerts, run } = await makePing(t);
    const { listening, served } = serveOnce(bench, agent, async (end) => {
      end.socket.send((await end.hello({ site: "bergen" })).record);
      assert.equal(await end.next(), undefined, "nothing is sealed for it");
    });
    await listening;
    assert.deepEqual(await run(), { ok: false, code: "protocol.hello" });
    await served;
    assert.deepEqual(alerts, ["hello refused"]);
  });
});
