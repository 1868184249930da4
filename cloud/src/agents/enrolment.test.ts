import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { beforeEach, describe, it } from "node:test";
import { fromBase64url, toBase64url, utf8 } from "@sallyport/shared/crypto/bytes.ts";
import {
  answerMac,
  codeKey,
  type EnrolmentCode,
  parseCode,
  requestMac,
  sameMac,
} from "@sallyport/shared/crypto/enrolment.ts";
import { generateKeyPair, type KeyPair, signerOf } from "@sallyport/shared/crypto/identity.ts";
import { signJws } from "@sallyport/shared/crypto/jws.ts";
import { PUBLIC_KEY_BYTES } from "@sallyport/shared/crypto/kem.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { enrolAnswer, enrolRequest } from "@sallyport/shared/schema/api.ts";
import { type Code, createCode, type EnrolmentDeps, enrol, type NewAgent } from "./enrolment.ts";

const origin = "https://orchestrator.test";
const orchestrator = await generateKeyPair("ES256");
const identity = await generateKeyPair("EdDSA");

/** Codes and agents in memory; what happened to them in the order it happened. */
function memory() {
  const codes = new Map<string, { code: Code; key: Uint8Array | undefined; version: number }>();
  const agents = new Map<string, NewAgent>();
  const done: string[] = [];
  const faults = { createPath: 0, nowMs: Date.parse("2026-01-01T00:00:00Z") };
  const deps: EnrolmentDeps = {
    origin,
    relayHost: "contoso.servicebus.windows.net",
    canarySeconds: 300,
    keysSeq: 1,
    keys: [orchestrator.publicJwk],
    insertCode: async (code, key) => void codes.set(code.codeId, { code, key, version: 0 }),
    findCode: async (codeId) => {
      const stored = codes.get(codeId);
      if (stored === undefined) return undefined;
      const { code, key, version } = stored;
      return {
        code,
        key: async () => key ?? assert.fail("the key of a used code is gone"),
        use: async (change) => {
          if (codes.get(codeId)?.version !== version) return false;
          codes.set(codeId, { code: { ...code, ...change }, key: undefined, version: version + 1 });
          done.push("use");
          return true;
        },
      };
    },
    namesOf: async (tenant, site) => {
      if (site !== "oslo") throw new SallyportError("api.not_found", "There is no such site.");
      return { tenantName: `${tenant} Ltd`, siteName: "Oslo" };
    },
    isRegistered: async (agent) => agents.has(agent.id),
    insertAgent: async (agent) => {
      if (!agents.has(agent.id)) agents.set(agent.id, agent);
      done.push("agent");
    },
    createPath: async (path) => {
      if (faults.createPath-- > 0) throw new SallyportError("storage.failed", "Azure Resource Manager did not answer.");
      done.push(`path ${path.slice(0, 2)}`);
    },
    now: () => new Date(faults.nowMs),
    random: randomBytes,
  };
  return { deps, agents, codes, done, faults };
}

let store: ReturnType<typeof memory>;
let code: EnrolmentCode;
beforeEach(async () => {
  store = memory();
  code = parseCode((await createCode(store.deps, "contoso", "oslo", true, "key:admin")).code)!;
});

interface Said {
  body?: Record<string, unknown>;
  /** What is signed instead of the body. */
  signed?: Record<string, unknown>;
  by?: KeyPair;
  purpose?: "enrol" | "token";
}

async function requestOf(said: Said = {}, secret = code.secret) {
  const body = {
    identity: identity.publicJwk,
    unseal: toBase64url(Buffer.alloc(PUBLIC_KEY_BYTES, 1)),
    origin,
    host: "erp-host",
    version: "0.1.0",
    time: "2026-01-01T00:00:00Z",
    ...said.body,
  };
  const signer = { ...signerOf("EdDSA", said.by ?? identity), kid: identity.kid };
  const proof = await signJws(said.purpose ?? "enrol", said.signed ?? body, signer);
  const bytes = utf8(JSON.stringify({ ...body, proof }));
  const mac = toBase64url(requestMac(codeKey(secret), bytes));
  return enrolRequest.parse({ codeId: code.codeId, body: toBase64url(bytes), mac });
}

const refused = { code: "enrolment.refused", message: "The code or the request with it is not valid.", detail: {} };

describe("an enrolment", () => {
  it("that is genuine is answered under a MAC that binds it to this request", async () => {
    const request = await requestOf();
    const { body, mac } = await enrol(store.deps, request);
    const bytes = fromBase64url(body)!;
    const expected = answerMac(codeKey(code.secret), code.codeId, fromBase64url(request.body)!, bytes);
    assert.ok(sameMac(expected, fromBase64url(mac)!));
    const answer = enrolAnswer.parse(JSON.parse(bytes.toString()));
    assert.equal(answer.status, "active");
    assert.equal(answer.listenUrl, `wss://contoso.servicebus.windows.net/$hc/a-${answer.agent}?sb-hc-action=listen`);
    assert.deepEqual(answer.keys, [orchestrator.publicJwk]);
    const agent = store.agents.get(answer.agent);
    assert.deepEqual(
      [agent?.kid, agent?.tenant, agent?.site, agent?.host],
      [identity.kid, "contoso", "oslo", "erp-host"],
    );
  });

  it("uses the code first: what a lost process leaves behind is no agent that nobody knows", async () => {
    await enrol(store.deps, await requestOf());
    assert.deepEqual(store.done, ["use", "path a-", "agent"]);
  });

  it("without approval is pending: it learns the relay to pin, and no address of its own", async () => {
    code = parseCode((await createCode(store.deps, "contoso", "oslo", false, "key:admin")).code)!;
    const { body } = await enrol(store.deps, await requestOf());
    const answer = enrolAnswer.parse(JSON.parse(fromBase64url(body)!.toString()));
    assert.deepEqual([answer.status, answer.listenUrl], ["pending", undefined]);
    assert.equal(answer.relayHost, "contoso.servicebus.windows.net");
    assert.equal(store.agents.get(answer.agent)?.status, "pending");
  });

  it("takes fields of later versions, as long as they are signed", async () => {
    await enrol(store.deps, await requestOf({ body: { capabilities: ["x"] } }));
    assert.equal(store.agents.size, 1);
  });

  it("needs a site, and a code says until when it can be used", async () => {
    await assert.rejects(createCode(store.deps, "contoso", "bergen", true, "key:admin"), { code: "api.not_found" });
    const { expiresAt } = await createCode(store.deps, "contoso", "oslo", true, "key:admin");
    assert.equal(expiresAt, "2026-01-01T00:15:00.000Z");
  });
});

describe("a used code", () => {
  it("gives the identical request the stored answer, and makes no second agent", async () => {
    const request = await requestOf();
    const first = await enrol(store.deps, request);
    assert.deepEqual(await enrol(store.deps, request), first);
    assert.equal(store.agents.size, 1);
    assert.equal(store.done.filter((what) => what === "use").length, 1);
  });
  it("refuses any other request, though its MAC be right", async () => {
    await enrol(store.deps, await requestOf());
    await assert.rejects(enrol(store.deps, await requestOf({ body: { host: "other" } })), refused);
    assert.equal(store.agents.size, 1);
  });
  it("whose process was lost before the agent was made: the repeat makes it, with the same id", async () => {
    store.faults.createPath = 1;
    const request = await requestOf();
    await assert.rejects(enrol(store.deps, request), { code: "storage.failed" });
    assert.equal(store.agents.size, 0);
    const { body } = await enrol(store.deps, request);
    assert.deepEqual([...store.agents.keys()], [JSON.parse(fromBase64url(body)!.toString()).agent]);
  });
  it("does not bring back the path of an agent that has its record", async () => {
    const request = await requestOf();
    await enrol(store.deps, request);
    await enrol(store.deps, request);
    assert.equal(store.done.filter((what) => what.startsWith("path")).length, 1);
  });
  it("forgets its key with its use, and even the right request comes too late after 15 minutes", async () => {
    const request = await requestOf();
    await enrol(store.deps, request);
    assert.equal(store.codes.get(code.codeId)?.key, undefined);
    store.faults.nowMs += 15 * 60_000;
    await assert.rejects(enrol(store.deps, request), refused);
  });
});

describe("a race", () => {
  it("of two requests for one code has one winner", async () => {
    const two = [await requestOf(), await requestOf({ body: { host: "other" } })];
    const outcomes = await Promise.allSettled(two.map((request) => enrol(store.deps, request)));
    assert.deepEqual(outcomes.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
    const loser = outcomes.find((outcome) => outcome.status === "rejected");
    assert.equal(loser?.reason.code, "enrolment.refused");
    assert.equal(store.agents.size, 1);
  });
  it("of a request with its own repeat gives both the same answer and one agent", async () => {
    const request = await requestOf();
    const [first, second] = await Promise.all([enrol(store.deps, request), enrol(store.deps, request)]);
    assert.deepEqual(first, second);
    assert.equal(store.agents.size, 1);
  });
});

describe("what is refused, always in the same words", () => {
  const other = () => generateKeyPair("EdDSA");
  const cases: Readonly<Record<string, () => Promise<Awaited<ReturnType<typeof requestOf>>>>> = {
    "an unknown code": async () => ({ ...(await requestOf()), codeId: "00000000" }),
    "a wrong secret": () => requestOf({}, "0".repeat(20)),
    "a MAC of other bytes": async () => ({
      ...(await requestOf()),
      mac: (await requestOf({ body: { host: "x" } })).mac,
    }),
    "an altered body": async () => {
      const request = await requestOf();
      return { ...request, body: toBase64url(utf8(fromBase64url(request.body)!.toString().replace("erp", "ERP"))) };
    },
    "a body that is not canonical base64url": async () => {
      const request = await requestOf();
      return { ...request, body: `${request.body}A` };
    },
    "another origin": () => requestOf({ body: { origin: "https://elsewhere.test" } }),
    "an unseal key of a wrong size": () => requestOf({ body: { unseal: toBase64url(Buffer.alloc(32)) } }),
    "a proof by another key": async () => requestOf({ by: await other() }),
    "a proof for another purpose": () => requestOf({ purpose: "token" }),
    "a proof over another body": () => requestOf({ signed: { identity: identity.publicJwk } }),
    "somebody else's identity": async () => requestOf({ body: { identity: (await other()).publicJwk } }),
    "a private key as identity": () => requestOf({ body: { identity: identity.privateJwk } }),
    "a P-256 identity": () => requestOf({ body: { identity: orchestrator.publicJwk } }),
    "a body without its fields": () => requestOf({ body: { host: undefined } }),
    "a host that is no text": () => requestOf({ body: { host: 5 } }),
  };
  for (const [name, make] of Object.entries(cases)) {
    it(name, async () => {
      await assert.rejects(enrol(store.deps, await make()), refused);
      assert.equal(store.agents.size, 0);
      assert.deepEqual(store.done, []);
    });
  }
  it("an expired code, to the millisecond", async () => {
    const request = await requestOf();
    store.faults.nowMs += 15 * 60_000;
    await assert.rejects(enrol(store.deps, request), refused);
    store.faults.nowMs -= 1;
    await enrol(store.deps, request);
  });
});
