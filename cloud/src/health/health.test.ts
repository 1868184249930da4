import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { after, describe, it } from "node:test";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { generateKeyPair, signerOf } from "@sallyport/shared/crypto/identity.ts";
import { publicKeyOf } from "@sallyport/shared/crypto/jws.ts";
import { makeAuthority } from "../../../test/emulators/tls/certificates.ts";
import type { Looked } from "./checks.ts";
import { HEALTH } from "./codes.ts";
import { createHealth } from "./health.ts";

const NOW_MS = Date.parse("2026-11-22T12:00:00Z");
const iso = (secondsAgo: number): string => new Date(NOW_MS - secondsAgo * 1000).toISOString();
const secret = "Endpoint=sb://secret.example;SharedAccessKey=hunter2";

const authority = await makeAuthority();
const relay = createServer(await authority.issue({ names: ["localhost"], addresses: ["127.0.0.1"] }), (_, response) => {
  response.statusCode = 404;
  response.end();
}).listen(0, "127.0.0.1");
await once(relay, "listening");
const trusted = getCACertificates("default");
setDefaultCACertificates([...trusted, authority.caPem]);
after(() => {
  setDefaultCACertificates(trusted);
  relay.closeAllConnections();
  relay.close();
});
const pair = await generateKeyPair("ES256");
const other = await generateKeyPair("ES256");

const agent = (secondsAgo: number, sentSecondsAgo = secondsAgo) => ({
  value: {
    enrolledAt: iso(90_000),
    reachedAt: iso(secondsAgo),
    canaryAt: null,
    canary: { sentAt: iso(sentSecondsAgo) },
  },
});

type Over = Partial<Omit<Looked, "store">> & { wake?: object; agents?: object };

function looked({ wake, agents, ...over }: Over = {}): Looked & { asked: string[] } {
  const asked: string[] = [];
  const noting =
    <T>(what: string, answer: T) =>
    async (): Promise<T> => {
      asked.push(what);
      return answer;
    };
  const store = {
    wake: { place: noting("place", undefined), due: noting("due", []), ...wake },
    agents: { active: noting("active", [agent(10)]), ...agents },
  } as unknown as Looked["store"];
  return {
    store,
    readContainer: noting("container", {}),
    openQueue: noting("queue", {}),
    relayHost: `localhost:${(relay.address() as AddressInfo).port}`,
    relayToken: noting("token", "t"),
    signer: signerOf("ES256", pair),
    trusted: (kid) => (kid === pair.kid ? publicKeyOf(pair.publicJwk) : undefined),
    canarySeconds: 300,
    nowMs: () => NOW_MS,
    ...over,
    asked,
  };
}

function healthOf(over: Over = {}, checkMs = 30_000) {
  const clock = { nowMs: 0 };
  const logged: unknown[] = [];
  const services = looked(over);
  const log = (what: string, facts: unknown) => void logged.push([what, facts]);
  return { clock, logged, services, health: createHealth(services, { monotonicMs: () => clock.nowMs, log, checkMs }) };
}

const fails = () => Promise.reject(new Error(secret));

describe("health", () => {
  it("is ok where nothing is wrong", async () => {
    const { health, logged } = healthOf();
    assert.deepEqual(await health.view(), { status: "ok", wrong: [] });
    assert.deepEqual(await health.details(), { status: "ok", at: "2026-11-22T12:00:00.000Z", wrong: [] });
    assert.deepEqual(logged, []);
  });

  for (const [code, over] of [
    ["storage.tables", { wake: { place: fails } }],
    ["storage.blobs", { readContainer: fails }],
    ["queue.unreachable", { openQueue: fails }],
    ["relay.unreachable", { relayHost: "localhost:1" }],
    ["relay.no_token", { relayToken: fails }],
    ["signing_key.unusable", { signer: { ...signerOf("ES256", pair), sign: fails } }],
    ["signing_key.unusable", { trusted: () => publicKeyOf(other.publicJwk) }],
    ["signing_key.unusable", { trusted: () => undefined }],
    ["schedule.late", { wake: { due: async () => [{ atMs: NOW_MS - 200_000 }] } }],
    ["canaries.late", { agents: { active: fails } }],
  ] as const)
    it(`names ${code}, without what was said about it`, async () => {
      const { health } = healthOf(over);
      const { means, advice } = HEALTH[code];
      assert.deepEqual(await health.view(), { status: means, wrong: [code] });
      const [wrong] = (await health.details()).wrong;
      assert.deepEqual([wrong?.code, wrong?.means, wrong?.advice], [code, means, advice]);
      assert.ok(!JSON.stringify(await health.details()).includes("hunter2"));
    });

  it("tells agents that are not reached from a timer that sends nothing", async () => {
    const unreached = healthOf({ agents: { active: async () => [agent(10), agent(5000, 20)] } });
    assert.deepEqual(await unreached.health.view(), { status: "degraded", wrong: ["agents.unproven"] });
    assert.deepEqual((await unreached.health.details()).wrong[0]?.facts, { agents: 1, of: 2, oldestSeconds: 5000 });
    const stopped = healthOf({ agents: { active: async () => [agent(1200), agent(1300)] } });
    assert.deepEqual((await stopped.health.view()).wrong, ["canaries.late", "agents.unproven"]);
  });

  it("says how long the schedule has been late", async () => {
    const { health } = healthOf({ wake: { due: async () => [{ atMs: NOW_MS - 200_000 }] } });
    assert.deepEqual((await health.details()).wrong[0]?.facts, { seconds: 200 });
  });

  it("that gets no answer is wrong, and keeps nobody waiting for ever", async () => {
    const { health } = healthOf({ readContainer: () => new Promise(() => undefined) }, 1);
    const { wrong } = await health.view();
    assert.ok(wrong.includes("storage.blobs"));
  });

  it("answers any number of callers with one round of checks, and a later one with the next", async () => {
    const { health, services, clock } = healthOf();
    await Promise.all(Array.from({ length: 1000 }, () => health.view()));
    const once = ["active", "container", "due", "place", "queue", "token"];
    assert.deepEqual(services.asked.toSorted(), once);
    clock.nowMs = 14_999;
    await health.details();
    assert.equal(services.asked.length, once.length);
    clock.nowMs = 15_000;
    await health.view();
    assert.deepEqual(services.asked.slice(once.length).toSorted(), ["container", "place", "queue", "token"]);
    clock.nowMs = 60_000;
    await health.view();
    assert.equal(services.asked.filter((what) => what === "active").length, 2);
  });

  it("is ok again in the round after it was mended", async () => {
    let broken = true;
    const { health, clock } = healthOf({ openQueue: async () => (broken ? fails() : {}) });
    assert.equal((await health.view()).status, "failing");
    broken = false;
    clock.nowMs = 15_000;
    assert.equal((await health.view()).status, "ok");
  });
});
