/** Two years of keys: rotations, lost answers, months away, revocation and re-enrolment, on one clock for both sides. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { describe, it } from "node:test";
import { openJournal } from "@sallyport/agent/src/journal/journal.ts";
import { verifyJournal } from "@sallyport/agent/src/journal/verify.ts";
import { loadIdentity, loadUnsealPublicKey } from "@sallyport/agent/src/keys.ts";
import { acceptAnswer } from "@sallyport/agent/src/pinning.ts";
import { readPinned } from "@sallyport/agent/src/state.ts";
import { requestToken } from "@sallyport/agent/src/supervisor/tokens.ts";
import { listAgentKeys, revokeAgent } from "@sallyport/cloud/src/agents/registry.ts";
import { adoptKey, announceKey, publicKeysOf } from "@sallyport/cloud/src/agents/signing-ring.ts";
import { readAgentKey, verifyUnsealKey } from "@sallyport/shared/crypto/agent-key.ts";
import { toBase64url } from "@sallyport/shared/crypto/bytes.ts";
import { generateKeyPair, signerOf } from "@sallyport/shared/crypto/identity.ts";
import { type Signer, signJws } from "@sallyport/shared/crypto/jws.ts";
import type { TokenAnswer } from "@sallyport/shared/schema/api.ts";
import { openWorld, pathsOf, SITE, TENANT, visit } from "./world.ts";

const world = await openWorld();
const { cloud, state, directory } = world;
const DAY_MS = 86_400_000;
const startedMs = cloud.clock.nowMs;
const forever = new AbortController().signal;
const days = (count: number): void => {
  cloud.clock.nowMs += count * DAY_MS;
};
const REPORT = { journal: null, policy: "p".repeat(43), locked: false, draining: false, version: "0.1.0" };

/** Whether a key gets a token now; the code where it does not. */
async function triesToken(agent: string, signer: Signer): Promise<string> {
  const { origin, network, clock } = world;
  const result = await requestToken({ origin, agent, signer, network, clock }, REPORT, forever);
  return result.ok ? "ok" : result.code;
}

const previousKey = async (): Promise<string | undefined> =>
  (await directory.candidates(TENANT, SITE))[0]?.previous?.kid;

async function rotateSigningKey(): Promise<void> {
  state.ring = await announceKey(state.ring, world.origin, cloud.now());
}
async function finishSigningKey(): Promise<void> {
  state.ring = await adoptKey(state.ring, world.origin, cloud.now());
}

describe("two years of one agent's keys", () => {
  const paths = pathsOf(world, "years");
  const retired: { signer: Signer; atMs: number }[] = [];
  const statements: TokenAnswer[] = [];
  let rotations = 0;

  /** One start of the agent; what must hold after each is held here. */
  async function online(): Promise<void> {
    const before = await loadIdentity(paths);
    const { result, rotated, refused } = await visit(world, paths);
    assert.ok(result.ok, JSON.stringify(result));
    assert.equal(refused, undefined);
    statements.push(result.answer);
    const pinned = readPinned(paths)!;
    assert.equal(pinned.keysSeq, state.ring.seq);
    assert.deepEqual(pinned.keys, publicKeysOf(state.ring));
    const now = await loadIdentity(paths);
    if (rotated.length > 0) {
      rotations += 1;
      assert.notEqual(now.kid, before.kid);
      retired.push({ signer: before.signer, atMs: cloud.clock.nowMs });
    }
    assert.ok(cloud.clock.nowMs - now.createdMs <= 61 * DAY_MS, "no key that is in use grows old");
    const found = (await directory.findByKid(now.kid))!;
    const record = (await cloud.store.agents.get(TENANT, SITE, found.id))!.value;
    assert.equal(record.kid, now.kid);
    const said = await verifyUnsealKey(record.unsealStatement ?? "", now.publicJwk);
    const listed = await Promise.all((await listAgentKeys(cloud, TENANT, SITE)).map(readAgentKey));
    assert.ok(
      listed.some((key) => key?.fingerprint === `SHA256:${now.kid}`),
      "as the customer compares it",
    );
    assert.equal(said?.key, toBase64url(loadUnsealPublicKey(paths)), "signed again by the identity of now");
  }

  it("P1.5 P1.6 a year at work: the identity rotates by itself, the key before works for a day, and then no more", async () => {
    await world.enrolAt(paths);
    const first = readPinned(paths)!.agent;
    for (let day = 0; day < 365; day += 4) {
      await online();
      if (rotations > 0 && retired.at(-1)?.atMs === cloud.clock.nowMs) {
        assert.equal(await triesToken(first, retired.at(-1)!.signer), "ok", "both are valid");
        assert.equal(await previousKey(), retired.at(-1)!.signer.kid, "also for hellos");
      }
      days(4);
      assert.equal(await previousKey(), undefined);
      if (day === 100) await rotateSigningKey();
      if (day === 108) await finishSigningKey();
    }
    assert.equal(rotations, 6);
    assert.equal(readPinned(paths)?.agent, first, "an agent's id survives its keys");
    for (const { signer } of retired) assert.equal(await triesToken(first, signer), "agent.unknown");
  });

  it("P1.8 no statement of the year comes back: a lower number is refused, and the same with other keys", async () => {
    await online();
    const pinned = readPinned(paths)!;
    const older = statements.filter(({ keys }) => seqOf(keys) < pinned.keysSeq);
    assert.ok(older.length > 20);
    for (const answer of older) assert.equal((await acceptAnswer(pinned, answer)).ok, false);
    const other = await generateKeyPair("ES256");
    const { signer } = await signingKey();
    const claims = { aud: world.origin, seq: pinned.keysSeq, iat: 0, keys: [other.publicJwk] };
    const forged = { ...statements.at(-1)!, keys: await signJws("keys", claims, signer) };
    assert.equal((await acceptAnswer(pinned, forged)).ok, false);
  });

  it("P1.9 months away while the orchestrator's key went over twice: it finds its way, and drops what is not listed", async () => {
    const before = readPinned(paths)!;
    days(40);
    await rotateSigningKey();
    days(2);
    await finishSigningKey();
    days(60);
    await rotateSigningKey();
    days(2);
    await finishSigningKey();
    days(40);
    await online();
    const pinned = readPinned(paths)!;
    assert.equal(pinned.keysSeq, before.keysSeq + 4);
    assert.ok(before.keys.every((key) => !JSON.stringify(pinned.keys).includes(String(key.x))));
    const byOld = { ...statements.at(-2)!, keys: statements.at(-2)!.keys };
    assert.equal((await acceptAnswer(pinned, byOld)).ok, false);
  });

  it("P1.7 an answer that is lost is asked for again; one that is lost for months, by the new key", async () => {
    const agent = readPinned(paths)!.agent;
    days(61);
    state.loseAnswers = 1;
    const lost = await visit(world, paths);
    assert.equal(lost.result.ok, false);
    const old = await loadIdentity(paths);
    days(0.5);
    await online();
    assert.notEqual((await loadIdentity(paths)).kid, old.kid);

    days(61);
    state.loseAnswers = 1;
    const again = await visit(world, paths);
    assert.equal(again.result.ok, false);
    const stale = await loadIdentity(paths);
    days(50);
    assert.equal(await triesToken(agent, stale.signer), "agent.unknown", "the old key is worth nothing by now");
    await online();
    assert.notEqual((await loadIdentity(paths)).kid, stale.kid);
  });

  it("an owner who asks for it gets a new key at once, and once", async () => {
    const before = await loadIdentity(paths);
    days(1);
    writeFileSync(paths.rotate, `${cloud.now().toISOString()}\n`);
    days(0.1);
    await online();
    const after = await loadIdentity(paths);
    assert.notEqual(after.kid, before.kid);
    await online();
    assert.equal((await loadIdentity(paths)).kid, after.kid);
    for (const text of ["", "soon", "{}"]) {
      writeFileSync(paths.rotate, text);
      assert.equal((await visit(world, paths)).rotated.length, 0);
    }
  });

  it("P1.11 revoked, neither of its keys gets a token or a session; one command makes it an agent again, and keeps policy and journal", async () => {
    days(61);
    const old = await loadIdentity(paths);
    await online();
    const agent = readPinned(paths)!.agent;
    const [candidate] = await directory.candidates(TENANT, SITE);
    const hybridConnections = { create: async () => undefined, remove: async () => undefined };
    await revokeAgent({ ...cloud, hybridConnections }, TENANT, SITE, agent);
    for (const { signer } of [old, await loadIdentity(paths)]) {
      assert.equal(await triesToken(agent, signer), "agent.revoked");
    }
    assert.equal(await directory.isCurrent(TENANT, SITE, candidate!), false);
    assert.deepEqual(await directory.candidates(TENANT, SITE), []);

    const policy = "v: 1\nconnections: {}\n# the owner's own words\n";
    writeFileSync(paths.policy, policy);
    const keep = { maxBytes: 2 ** 30, maxDays: 400 };
    const journal = openJournal(paths.journal, keep);
    journal.append({ event: "token" });
    const head = journal.head();
    journal.close();
    await world.enrolAt(paths);
    assert.notEqual(readPinned(paths)!.agent, agent);
    assert.equal(readFileSync(paths.policy, "utf8"), policy);
    assert.deepEqual(openJournal(paths.journal, keep).head(), head);
    assert.equal(verifyJournal(paths.journal).ok, true);
    await online();
    days(61);
    await online();
  });

  it("a stolen orchestrator key leads the agent away, and one enrolment leads it back", async () => {
    const thief = await generateKeyPair("ES256");
    const { signer } = await signingKey();
    const claims = { aud: world.origin, seq: state.ring.seq + 9, iat: 0, keys: [thief.publicJwk] };
    const stolen = await signJws("keys", claims, signer);
    const led = await visit(world, paths, (answer) => ({ ...answer, keys: stolen }));
    assert.equal(led.refused, undefined, "it is a signature of a pinned key");
    const after = await visit(world, paths);
    assert.match(after.refused ?? "", /not signed by a pinned key/);
    await world.enrolAt(paths);
    await online();
  });

  it("took two years", () => assert.ok(cloud.clock.nowMs - startedMs > 730 * DAY_MS));
});

const seqOf = (compact: string): number =>
  (JSON.parse(Buffer.from(compact.split(".")[1]!, "base64url").toString()) as { seq: number }).seq;

async function signingKey() {
  const { current } = state.ring;
  const { d: _d, ...publicJwk } = current;
  const { thumbprint } = await import("@sallyport/shared/crypto/identity.ts");
  return { signer: signerOf("ES256", { kid: await thumbprint(publicJwk), publicJwk, privateJwk: current }) };
}
