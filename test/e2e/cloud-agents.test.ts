import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { agentDirectory } from "@sallyport/cloud/src/agents/agent-store.ts";
import { createLoad } from "@sallyport/cloud/src/agents/choice.ts";
import { createCode, type EnrolmentDeps, enrol, type NewAgent } from "@sallyport/cloud/src/agents/enrolment.ts";
import { approveAgent, listAgents, revokeAgent } from "@sallyport/cloud/src/agents/registry.ts";
import { unsealKid } from "@sallyport/shared/crypto/agent-key.ts";
import { fromBase64url, sha256, toBase64url, utf8 } from "@sallyport/shared/crypto/bytes.ts";
import { codeKey, parseCode, requestMac } from "@sallyport/shared/crypto/enrolment.ts";
import { generateKeyPair, signerOf } from "@sallyport/shared/crypto/identity.ts";
import { signJws } from "@sallyport/shared/crypto/jws.ts";
import { PUBLIC_KEY_BYTES } from "@sallyport/shared/crypto/kem.ts";
import { openCloudStore } from "./cloud-store.ts";

const cloud = await openCloudStore();
const { store, now, random, clock } = cloud;
const alerts: (readonly [string, unknown])[] = [];
const alert = (what: string, facts: unknown) => void alerts.push([what, facts]);
const load = createLoad();
const directory = agentDirectory({ ...cloud, load, alert });
const orchestrator = await generateKeyPair("ES256");
const createdAt = now().toISOString();
await store.tenants.insert("contoso", { name: "Contoso", createdAt, quotas: null, closedAt: null });
await store.sites.insert("contoso", "oslo", { name: "Oslo", createdAt });

const paths: string[] = [];
const enrolment: EnrolmentDeps = {
  ...directory,
  origin: "https://orchestrator.test",
  relayHost: "contoso.servicebus.windows.net",
  canarySeconds: 300,
  keys: [orchestrator.publicJwk],
  keysSeq: 1,
  createPath: async (path) => void paths.push(path),
  now,
  random,
};

async function requestOf(code: string, host = "erp-host") {
  const { codeId, secret } = parseCode(code)!;
  const identity = await generateKeyPair("EdDSA");
  const body = {
    identity: identity.publicJwk,
    unseal: toBase64url(Buffer.alloc(PUBLIC_KEY_BYTES)),
    origin: enrolment.origin,
    host,
    version: "0.1.0",
    time: now().toISOString(),
  };
  const bytes = utf8(JSON.stringify({ ...body, proof: await signJws("enrol", body, signerOf("EdDSA", identity)) }));
  const mac = toBase64url(requestMac(codeKey(secret), bytes));
  return { request: { codeId, body: toBase64url(bytes), mac }, kid: identity.kid };
}

const newCode = async () => (await createCode(enrolment, "contoso", "oslo", true, "key:admin")).code;
const agentOf = ({ body }: { body: string }) => JSON.parse(fromBase64url(body)!.toString()).agent as string;

async function newAgent(site: string, over: Partial<NewAgent> = {}): Promise<NewAgent> {
  const identity = await generateKeyPair("EdDSA");
  const agent: NewAgent = {
    id: random(16).toString("hex"),
    tenant: "contoso",
    site,
    status: "active",
    identity: identity.publicJwk,
    kid: identity.kid,
    unseal: "",
    codeId: "AAAAAAAA",
    host: "host",
    version: "0.1.0",
    enrolledAt: now().toISOString(),
    ...over,
  };
  await directory.insertAgent(agent);
  return agent;
}

describe("enrolment over the tables", () => {
  it("lets an agent in once: the code's key is gone, the agent is found by its signing key", async () => {
    const code = await newCode();
    const { codeId, secret } = parseCode(code)!;
    const before = await store.codes.get(codeId);
    assert.ok(!JSON.stringify(before).includes(toBase64url(codeKey(secret))), "the key is not stored readably");
    const { request, kid } = await requestOf(code);
    const answer = await enrol(enrolment, request);
    const found = await directory.findByKid(kid);
    assert.deepEqual([found?.id, found?.site, found?.status], [agentOf(answer), "oslo", "active"]);
    const used = (await store.codes.get(codeId))?.value;
    assert.deepEqual([used?.sealedKey, used?.agent], [null, agentOf(answer)]);
    assert.deepEqual(await enrol(enrolment, request), answer);
    await assert.rejects(enrol(enrolment, (await requestOf(code)).request), { code: "enrolment.refused" });
  });

  it("of ten requests for one code lets one in", async () => {
    const code = await newCode();
    const requests = await Promise.all(Array.from({ length: 10 }, (_, index) => requestOf(code, `race-${index}`)));
    const outcomes = await Promise.allSettled(requests.map(({ request }) => enrol(enrolment, request)));
    const rejected = outcomes.filter((outcome) => outcome.status === "rejected");
    assert.equal(rejected.length, 9);
    assert.ok(rejected.every(({ reason }) => reason.code === "enrolment.refused"));
    const views = await listAgents(cloud, "contoso", "oslo", { most: 100 });
    assert.equal(views.items.filter(({ host }) => host.startsWith("race-")).length, 1);
    const known = await Promise.all(requests.map(({ kid }) => directory.findByKid(kid)));
    assert.equal(known.filter((agent) => agent !== undefined).length, 1);
  });

  it("of a request sent five times at once makes one agent, found by its key, and gives all the same answer", async () => {
    const { request, kid } = await requestOf(await newCode());
    const answers = await Promise.all(Array.from({ length: 5 }, () => enrol(enrolment, request)));
    for (const answer of answers) assert.deepEqual(answer, answers[0]);
    assert.equal((await directory.findByKid(kid))?.id, agentOf(answers[0]!));
  });

  it("that was lost after each of its writes is finished by the repeat", async () => {
    for (const lost of ["createPath", "insertAgent"] as const) {
      const { request, kid } = await requestOf(await newCode());
      const dying = { ...enrolment, [lost]: () => Promise.reject(new Error("the process died")) };
      await assert.rejects(enrol(dying, request), /died/);
      assert.equal(await directory.findByKid(kid), undefined);
      const answer = await enrol(enrolment, request);
      assert.equal((await directory.findByKid(kid))?.id, agentOf(answer));
    }
  });

  it("a record whose places were written before a crash is completed", async () => {
    const agent = await newAgent("crash");
    const table = cloud.connect("agents");
    await table.deleteEntity("contoso|crash", agent.id);
    assert.equal(await directory.findByKid(agent.kid), undefined);
    await directory.insertAgent(agent);
    assert.equal((await directory.findByKid(agent.kid))?.id, agent.id);
  });

  it("a repeat does not bring a revoked agent back", async () => {
    const { request, kid } = await requestOf(await newCode());
    const agent = agentOf(await enrol(enrolment, request));
    await revokeAgent({ ...cloud, hybridConnections: noConnections }, "contoso", "oslo", agent);
    const made = paths.length;
    await enrol(enrolment, request);
    assert.equal((await directory.findByKid(kid))?.status, "revoked");
    assert.equal(paths.length, made);
  });

  it("needs a tenant and a site", async () => {
    for (const [tenant, site] of [
      ["contoso", "bergen"],
      ["fabrikam", "oslo"],
    ] as const) {
      await assert.rejects(createCode(enrolment, tenant, site, true, "key:admin"), { code: "api.not_found" });
    }
  });
});

const noConnections = { create: async () => undefined, remove: async () => undefined };

describe("the directory", () => {
  const report = { journal: null, policy: toBase64url(sha256()), locked: false, draining: false, version: "0.2.0" };

  it("gives the active agents of a site, those that likely serve first", async () => {
    const names = ["silent", "never", "locked", "draining", "fresh"] as const;
    const agents = new Map<string, NewAgent>();
    // Their ids are in the opposite order, and chance is taken out: only the rank can sort them.
    for (const [index, name] of names.entries()) {
      agents.set(name, await newAgent("ranked", { host: name, id: String(index).repeat(32) }));
    }
    await newAgent("ranked", { status: "pending" });
    await newAgent("elsewhere");
    const say = (name: string, over = {}) => directory.report(registered(agents.get(name)!), { ...report, ...over });
    await say("silent");
    clock.nowMs += 36 * 60_000;
    await say("locked", { locked: true });
    await say("draining", { draining: true });
    await say("fresh");
    const fixed = agentDirectory({ ...cloud, load, alert, random: (bytes) => Buffer.alloc(bytes) });
    const order = (await fixed.candidates("contoso", "ranked")).map(
      ({ id }) => [...agents].find(([, agent]) => agent.id === id)?.[0],
    );
    assert.equal(order.length, 5);
    assert.equal(order[0], "fresh");
    assert.deepEqual(order.slice(1, 3).sort(), ["draining", "locked"]);
    assert.deepEqual(order.slice(3).sort(), ["never", "silent"]);
  });

  it("tells a session where to dial and whose hello to take", async () => {
    const agent = await newAgent("dial");
    assert.deepEqual(await directory.candidates("contoso", "dial"), [
      {
        id: agent.id,
        path: `a-${agent.id}`,
        identity: agent.identity,
        kid: agent.kid,
        unsealKid: unsealKid(agent.unseal),
      },
    ]);
  });

  it("among equals chooses by chance", async () => {
    const [one, two] = [await newAgent("equal"), await newAgent("equal")];
    const firsts = new Set<string>();
    for (let tie = 0; tie < 2; tie++) {
      const ties = [tie, 1 - tie].map((value) => Buffer.from([0, 0, 0, value]));
      const fixed = agentDirectory({ ...cloud, load, alert, random: () => ties.shift()! });
      firsts.add((await fixed.candidates("contoso", "equal"))[0]!.id);
    }
    assert.deepEqual([...firsts].sort(), [one.id, two.id].sort());
  });

  it("of equally healthy ones the least loaded first, by what each takes", async () => {
    const [small, large] = [await newAgent("loaded"), await newAgent("loaded")];
    await directory.report(registered(small), { ...report, maxSessions: 2 });
    await directory.report(registered(large), { ...report, maxSessions: 8 });
    const over = [small, large, large].map(({ id }) => load.began(id));
    const order = async () => (await directory.candidates("contoso", "loaded")).map(({ id }) => id);
    assert.deepEqual(await order(), [large.id, small.id]);
    over[0]?.();
    assert.deepEqual(await order(), [small.id, large.id]);
    for (const end of over) end();
    assert.deepEqual([load.of(small.id), load.of(large.id)], [0, 0]);
  });

  it("tells when a journal was cut or written anew, also one that has grown since", async () => {
    const agent = await newAgent("journal");
    const head = (seq: number, text: string) => ({ seq, hash: toBase64url(sha256(Buffer.from(text))) });
    type Head = ReturnType<typeof head>;
    /** How often it was told of, and which line is known now. */
    const told = async (journal: Head | null, known?: { seq: number; hash: string | null }) => {
      alerts.length = 0;
      const shown = known === undefined ? {} : { known };
      const kept = await directory.report(registered(agent), { ...report, journal, ...shown });
      return [alerts.length, kept?.seq ?? null];
    };
    assert.deepEqual(await told(head(7, "seven")), [0, 7]);
    assert.deepEqual(await told(head(7, "seven")), [0, 7], "nothing new");
    assert.deepEqual(await told(head(9, "nine")), [0, 7], "it may be another chain");
    assert.deepEqual(await told(head(9, "nine"), head(7, "seven")), [0, 9]);
    assert.deepEqual(await told(head(12, "of another chain"), head(9, "forged")), [1, 12], "grown since");
    const stored = await store.agents.get("contoso", "journal", agent.id);
    assert.deepEqual(stored?.value.journalAlert, {
      at: now().toISOString(),
      known: head(9, "nine"),
      told: head(12, "of another chain"),
    });
    assert.deepEqual(await told(head(11, "eleven")), [1, 11], "shortened");
    assert.deepEqual(await told(head(11, "another eleven")), [1, 11], "written anew");
    assert.deepEqual(await told(null), [1, null], "gone");
    const registry = { ...cloud, hybridConnections: { create: async () => {}, remove: async () => {} } };
    const listed = async () => (await listAgents(registry, "contoso", "journal", { most: 100 })).items[0];
    assert.equal((await listed())?.journalAlert?.known?.seq, 11);
    await approveAgent(registry, "contoso", "journal", agent.id);
    assert.equal((await listed())?.journalAlert, null);
  });

  it("says at the last moment whether an agent may still be sent anything", async () => {
    const agent = await newAgent("current");
    const [candidate] = await directory.candidates("contoso", "current");
    assert.ok(candidate);
    assert.equal(await directory.isCurrent("contoso", "current", candidate), true);
    assert.equal(await directory.isCurrent("contoso", "current", { ...candidate, kid: "A".repeat(43) }), false);
    const stored = (await store.agents.get("contoso", "current", agent.id))!;
    await store.agents.update(stored, { ...stored.value, status: "revoked" });
    assert.equal(await directory.isCurrent("contoso", "current", candidate), false);
  });

  it("keeps what an agent says of itself", async () => {
    const agent = await newAgent("report");
    const journal = { seq: 7, hash: toBase64url(sha256()) };
    await directory.report(registered(agent), { ...report, journal, locked: true });
    const stored = (await store.agents.get("contoso", "report", agent.id))?.value;
    assert.deepEqual([stored?.journal, stored?.locked, stored?.version], [journal, true, "0.2.0"]);
    assert.equal(stored?.seenAt, now().toISOString());
  });
});

const registered = ({ id, tenant, site, status, identity, kid, unseal }: NewAgent) => ({
  current: kid,
  unseal: { kid: unsealKid(unseal), signed: false },
  id,
  tenant,
  site,
  status,
  identity,
  kid,
  canary: null,
});

describe("the registry", () => {
  const removed: string[] = [];
  const deps = {
    ...cloud,
    hybridConnections: { create: async () => undefined, remove: async (path: string) => void removed.push(path) },
  };

  it("shows an agent by the fingerprint that its machine shows, and approves it", async () => {
    const agent = await newAgent("approve", { status: "pending" });
    const [view] = (await listAgents(deps, "contoso", "approve", { most: 100 })).items;
    assert.deepEqual([view?.id, view?.status, view?.fingerprint], [agent.id, "pending", `SHA256:${agent.kid}`]);
    assert.deepEqual(await directory.candidates("contoso", "approve"), []);
    assert.equal((await approveAgent(deps, "contoso", "approve", agent.id)).status, "active");
    assert.equal((await directory.candidates("contoso", "approve")).length, 1);
  });

  it("revokes at once: record, candidates and path; and for good", async () => {
    const agent = await newAgent("revoke");
    assert.equal((await revokeAgent(deps, "contoso", "revoke", agent.id)).status, "revoked");
    assert.deepEqual(removed, [`a-${agent.id}`]);
    assert.deepEqual(await directory.candidates("contoso", "revoke"), []);
    assert.equal((await directory.findByKid(agent.kid))?.status, "revoked");
    await assert.rejects(approveAgent(deps, "contoso", "revoke", agent.id), { code: "agent.revoked" });
  });

  it("a revocation whose path could not be deleted stands, and is repeated", async () => {
    const agent = await newAgent("half");
    const failing = {
      ...deps,
      hybridConnections: { ...deps.hybridConnections, remove: () => Promise.reject(new Error("no")) },
    };
    await assert.rejects(revokeAgent(failing, "contoso", "half", agent.id));
    assert.equal((await directory.findByKid(agent.kid))?.status, "revoked");
    await revokeAgent(deps, "contoso", "half", agent.id);
    assert.equal(removed.at(-1), `a-${agent.id}`);
  });

  it("knows an agent at its own site of its own tenant only", async () => {
    const agent = await newAgent("own");
    for (const [tenant, site] of [
      ["contoso", "oslo"],
      ["fabrikam", "own"],
    ] as const) {
      await assert.rejects(revokeAgent(deps, tenant, site, agent.id), { code: "api.not_found" });
      await assert.rejects(approveAgent(deps, tenant, site, agent.id), { code: "api.not_found" });
    }
    assert.equal((await directory.findByKid(agent.kid))?.status, "active");
  });
});

describe("ids of signed tokens", () => {
  it("are used once for each agent, also by two at a time, whatever they hold", async () => {
    const expires = now().toISOString();
    for (const jti of ["0123456789abcdef", "a/b\\c#d?e'f", "x".repeat(2000)]) {
      const two = await Promise.all([store.jtis.use("one", jti, expires), store.jtis.use("one", jti, expires)]);
      assert.deepEqual(two.sort(), [false, true]);
      assert.equal(await store.jtis.use("two", jti, expires), true);
    }
  });
});
