/** The orchestrator's canaries on real tables: who is due, what is stored before and after, and what it costs. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { agentDirectory } from "@sallyport/cloud/src/agents/agent-store.ts";
import { type CanaryDeps, chooseDue, noteReached, sendCanaries } from "@sallyport/cloud/src/agents/canary.ts";
import { createLoad } from "@sallyport/cloud/src/agents/choice.ts";
import { answerHealth } from "@sallyport/cloud/src/agents/tokens.ts";
import type { Ping, PingOutcome } from "@sallyport/cloud/src/sessions/ping.ts";
import { NO_TELEMETRY } from "@sallyport/cloud/src/telemetry/telemetry.ts";
import { toBase64url } from "@sallyport/shared/crypto/bytes.ts";
import { generateKeyPair } from "@sallyport/shared/crypto/identity.ts";
import { agentHealth } from "@sallyport/shared/schema/liveness.ts";
import { openCloudStore } from "./cloud-store.ts";

const cloud = await openCloudStore();
const { store, clock, now, random } = cloud;
const directory = agentDirectory({ ...cloud, load: createLoad(), alert: () => undefined });
const { publicJwk, kid } = await generateKeyPair("EdDSA");
const policy = toBase64url(Buffer.alloc(32, 1));
const state = { version: "0.3.0", policy, maxSessions: 7, running: 0, locked: true, draining: false };
const stopped = new AbortController().signal;
let drawn = 0;

async function newAgent(status: "active" | "pending" = "active") {
  const id = String(++drawn).padStart(32, "0");
  const at = new Date(clock.nowMs - 300_000).toISOString();
  const agent = { id, tenant: "contoso", site: "oslo", status, identity: publicJwk, kid: idKey(drawn) };
  await directory.insertAgent({ ...agent, unseal: "", host: "h", version: "0.1.0", codeId: "c", enrolledAt: at });
  return { id, record: async () => (await store.agents.get("contoso", "oslo", id))!.value };
}
const idKey = (number: number): string => kid.slice(0, 40) + String(number).padStart(3, "0");

function deps(ping: Ping): CanaryDeps & { logged: unknown[] } {
  const logged: unknown[] = [];
  const log = (_: string, facts: unknown) => void logged.push(facts);
  return { store, ping, canarySeconds: 300, now, random, telemetry: NO_TELEMETRY, log, logged };
}
const answering = (outcome: PingOutcome) => {
  const pinged: string[] = [];
  const ping: Ping = async ({ id }) => {
    pinged.push(id);
    return outcome;
  };
  return { ping, pinged };
};

describe("canaries", () => {
  it("what was sent is stored before the agent is dialled, and its state after", async () => {
    const agent = await newAgent();
    const pending = await newAgent("pending");
    let during: Awaited<ReturnType<typeof agent.record>> | undefined;
    const ping: Ping = async ({ id, path, tenant, site }, request) => {
      during = await agent.record();
      assert.deepEqual([id, path, tenant, site], [agent.id, `a-${agent.id}`, "contoso", "oslo"]);
      assert.equal(during.canary?.id, request);
      return { ok: true, state };
    };
    assert.deepEqual(await sendCanaries(deps(ping), stopped), { agents: 1, sent: 1, answered: 1 });
    const { canary, canaryAt, reachedAt, maxSessions, locked, version } = await agent.record();
    assert.deepEqual(canary, { id: during?.canary?.id, sentAt: now().toISOString() });
    assert.deepEqual([canaryAt, reachedAt], [now().toISOString(), now().toISOString()]);
    assert.deepEqual([maxSessions, locked, version], [7, true, "0.3.0"]);
    assert.equal((await pending.record()).canary, null);
    const known = await directory.findByKid((await agent.record()).kid);
    assert.deepEqual(agentHealth.parse(answerHealth(known!, now())), { serverTime: now().toISOString(), canary });
  });

  it("none before the period is over, nor where a session succeeded meanwhile", async () => {
    const { ping, pinged } = answering({ ok: true, state });
    await sendCanaries(deps(ping), stopped);
    assert.deepEqual(pinged, []);
    clock.nowMs += 200_000;
    const [agent] = await store.agents.active();
    const hello = { version: "0.3.0", policy, maxSessions: 3 };
    const at = { tenant: "contoso", site: "oslo", agent: agent!.row.row };
    await noteReached(deps(ping), at, hello);
    const noted = await store.agents.get("contoso", "oslo", at.agent);
    assert.deepEqual([noted?.value.maxSessions, noted?.value.reachedAt], [3, now().toISOString()]);
    clock.nowMs += 100_000;
    await noteReached(deps(ping), at, hello);
    assert.equal((await store.agents.get("contoso", "oslo", at.agent))?.etag, noted?.etag, "not written again so soon");
    await sendCanaries(deps(ping), stopped);
    assert.deepEqual(pinged, []);
    clock.nowMs += 200_000;
    await sendCanaries(deps(ping), stopped);
    assert.deepEqual(pinged, [at.agent]);
  });

  it("one that is not answered says why, and makes its agent the later choice", async () => {
    clock.nowMs += 300_000;
    const fresh = await newAgent();
    const [old] = (await store.agents.active()).filter(({ row }) => row.row !== fresh.id);
    const ping: Ping = async ({ id }) =>
      id === fresh.id ? { ok: true, state: { ...state, locked: false } } : { ok: false, code: "agent.offline" };
    const used = deps(ping);
    assert.deepEqual(await sendCanaries(used, stopped), { agents: 2, sent: 2, answered: 1 });
    const record = (await store.agents.get("contoso", "oslo", old!.row.row))!;
    assert.deepEqual(
      [record.value.canaryCode, record.value.canaryAt === now().toISOString()],
      ["agent.offline", false],
    );
    await store.agents.update(record, { ...record.value, locked: false, seenAt: now().toISOString() });
    const order = (await directory.candidates("contoso", "oslo")).map(({ id }) => id);
    assert.deepEqual(order, [fresh.id, old!.row.row]);
    assert.equal(used.logged.length, 1);
  });

  it("a ping that throws is one that was not answered, and the others go on", async () => {
    clock.nowMs += 300_000;
    const thrown = Object.assign(new TypeError("no relay"), { token: "a-secret" });
    const used = deps(async () => Promise.reject(Object.assign(thrown, { itself: thrown })));
    const report = await sendCanaries(used, stopped);
    assert.deepEqual([report.sent, report.answered, used.logged.length], [2, 0, 2]);
    assert.match(JSON.stringify(used.logged), /TypeError/);
    assert.doesNotMatch(JSON.stringify(used.logged), /a-secret/);
  });

  it("a revocation that comes while the agent answers stays", async () => {
    clock.nowMs += 300_000;
    const ping: Ping = async ({ id }) => {
      const stored = (await store.agents.get("contoso", "oslo", id))!;
      await store.agents.update(stored, { ...stored.value, status: "revoked" });
      return { ok: true, state };
    };
    await sendCanaries(deps(ping), stopped);
    assert.deepEqual(await store.agents.active(), []);
    const revoked = (await store.agents.list("contoso", "oslo")).filter(({ value }) => value.status === "revoked");
    assert.deepEqual(
      revoked.map(({ value }) => value.canaryAt),
      revoked.map(() => now().toISOString()),
    );
  });

  it("a thousand that came back together are dialled over a period, and at most eight at a time", async () => {
    const one = (await store.agents.list("contoso", "oslo"))[0]!;
    const many = Array.from({ length: 1000 }, (_, index) => ({
      ...one,
      value: { ...one.value, canary: null, reachedAt: new Date(clock.nowMs - 300_000 - index).toISOString() },
    }));
    const due = chooseDue(many, 300, clock.nowMs);
    assert.equal(due.length, 250);
    assert.equal(due[0], many.at(-1), "the longest unproven first");
    assert.equal(chooseDue(many, 300, clock.nowMs - 300_001).length, 0);
    const enrolled = new Date(clock.nowMs - 299_000).toISOString();
    const young = { ...one, value: { ...one.value, canary: null, reachedAt: null, enrolledAt: enrolled } };
    assert.equal(chooseDue([young], 300, clock.nowMs).length, 0, "it has just enrolled");
    for (let count = 0; count < 20; count++) await newAgent();
    let running = 0;
    let most = 0;
    const ping: Ping = async () => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
      return { ok: true, state };
    };
    const reports = [await sendCanaries(deps(ping), stopped), await sendCanaries(deps(ping), stopped)];
    assert.deepEqual(
      reports.map(({ sent }) => sent),
      [16, 4],
    );
    assert.ok(most > 1 && most <= 8, `${most} at a time`);
  });
});
