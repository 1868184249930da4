import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import type { CloudEvent } from "@sallyport/shared/schema/events.ts";
import { type Agent, agentRecord } from "../store/agents.ts";
import { createTables, openStore } from "../store/open.ts";
import { testAzurite } from "../store/test-azurite.ts";
import { faultyNetwork } from "../store/test-faults.ts";
import { silentAfterMs, stateOf, watchAgents } from "./agents.ts";

const azurite = await testAzurite();
await createTables((name) => azurite.connectTable(name));
const store = openStore((name) => azurite.connectTable(name), randomBytes);
const STARTED_MS = Date.parse("2026-01-01T00:00:00Z");
const at = (seconds: number): string => new Date(STARTED_MS + seconds * 1000).toISOString();
const hash = "A".repeat(43);

const agentOf = (more: Partial<Agent>): Agent =>
  agentRecord.parse({
    ...{ tenant: "acme", site: "oslo", status: "pending", identity: {}, kid: hash, previous: null, unseal: "AA" },
    ...{ unsealStatement: null, unsealBy: null, hybridConnection: "a-1", host: "h", version: "1", codeId: "c" },
    ...{ enrolledAt: at(0), revokedAt: null, seenAt: null, journal: null, journalAlert: null, policy: null },
    ...{ locked: false, draining: false, maxSessions: null, reachedAt: null, canaryAt: null, canary: null },
    ...{ canaryCode: null, updates: null, versionAt: null, ...more },
  });

describe("how an agent is", () => {
  const silentMs = silentAfterMs(300);
  const now = STARTED_MS + 10_000_000;
  const ago = (seconds: number) => new Date(now - seconds * 1000).toISOString();
  const cases: readonly (readonly [string, Partial<Agent>, string | undefined, string])[] = [
    ["enrolled", { status: "pending" }, undefined, "pending"],
    ["just approved, after waiting for days", { status: "active" }, "pending", "approved"],
    ["approved by its code", { status: "active" }, undefined, "approved"],
    ["reached", { status: "active", reachedAt: ago(1) }, "approved", "connected"],
    ["not reached for two canaries", { status: "active", reachedAt: ago(899) }, "connected", "connected"],
    ["not reached for three", { status: "active", reachedAt: ago(900) }, "connected", "silent"],
    ["approved and never reached", { status: "active" }, "approved", "silent"],
    ["revoked while it was reached", { status: "revoked", reachedAt: ago(1) }, "connected", "revoked"],
  ];
  for (const [what, agent, before, state] of cases) {
    it(`${what}: ${state}`, () => {
      const told = before === undefined ? undefined : { state: before as "pending", at: ago(900) };
      assert.equal(stateOf(agentOf(agent), told, now, silentMs), state);
    });
  }
});

describe("what is told of agents", () => {
  const id = "0123456789abcdef0123456789abcdef";
  const events: CloudEvent[] = [];
  let seconds = 0;
  const deps = (over = store) => ({
    store: over,
    emit: async (_: string, event: CloudEvent) => void events.push(event),
    origin: "https://sallyport.example",
    canarySeconds: 300,
    now: () => new Date(STARTED_MS + seconds * 1000),
    log: () => undefined,
  });
  const change = async (more: Partial<Agent>) => {
    const stored = await store.agents.get("acme", "oslo", id);
    if (stored === undefined) await store.agents.insert(id, agentOf(more));
    else await store.agents.update(stored, { ...stored.value, ...more });
  };
  const watch = async (after: number) => {
    seconds += after;
    events.length = 0;
    await watchAgents(deps());
    return events.map(({ type }) => type.slice("sallyport.agent.".length));
  };

  it("each change once: pending, approved, connected, silent, connected again, its journal, revoked", async () => {
    await change({});
    assert.deepEqual(await watch(0), ["pending"]);
    assert.deepEqual(await watch(60), []);
    await change({ status: "active" });
    assert.deepEqual(await watch(60), ["approved"]);
    await change({ reachedAt: at(seconds) });
    assert.deepEqual(await watch(60), ["connected"]);
    assert.deepEqual(await watch(600), []);
    assert.deepEqual(await watch(300), ["silent"]);
    assert.deepEqual([events[0]?.subject, events[0]?.data.site], [`agents/${id}`, "oslo"]);
    await change({ reachedAt: at(seconds) });
    assert.deepEqual(await watch(60), ["connected"]);
    await change({ reachedAt: at(seconds), journalAlert: { at: at(seconds), known: null, told: null } });
    assert.deepEqual(await watch(60), ["journal-altered"]);
    assert.deepEqual(await watch(60), []);
    await change({ status: "revoked", revokedAt: at(seconds) });
    assert.deepEqual(await watch(60), ["revoked"]);
    assert.deepEqual(await watch(86_400), []);
  });

  it("who dies at whichever write, or cannot tell, tells the same event again, and nothing is left out", async () => {
    const other = "f".repeat(32);
    await store.agents.insert(other, agentOf({}));
    for (const fate of ["die before", "die after"] as const) {
      for (let at = 1; at <= 2; at++) {
        await change({ status: "active", reachedAt: null });
        await watch(1); // whatever it is by now
        const faults = faultyNetwork();
        faults.onWrite = (_, count) => (count === at ? fate : "send");
        const options = { httpClient: faults.httpClient, retryOptions: { maxRetries: 0 } };
        await change({ reachedAt: new Date(STARTED_MS + seconds * 1000).toISOString() });
        events.length = 0;
        await watchAgents(deps(openStore((name) => azurite.connectTable(name, options), randomBytes)));
        seconds += 60;
        await watchAgents(deps());
        const ids = new Set(events.filter(({ type }) => type.endsWith(".connected")).map((event) => event.id));
        assert.equal(ids.size, 1, `${fate} ${at}: ${[...ids].join()}`);
        await change({ status: "revoked" });
        await watch(1);
      }
    }
    await change({ status: "active", reachedAt: new Date(STARTED_MS + seconds * 1000).toISOString() });
    const deaf = { ...deps(), emit: () => Promise.reject(new Error("no topic")) };
    assert.equal((await watchAgents(deaf)).told, 0);
    assert.deepEqual(await watch(60), ["connected"]);
  });
});
