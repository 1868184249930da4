import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { sha256, toBase64url, utf8 } from "@sallyport/shared/crypto/bytes.ts";
import { generateKeyPair, signerOf } from "@sallyport/shared/crypto/identity.ts";
import { signJws } from "@sallyport/shared/crypto/jws.ts";
import { tokenAnswer } from "@sallyport/shared/schema/api.ts";
import type { RegisteredAgent } from "./registered.ts";
import { type AgentRequest, authenticateAgent, issueToken, type TokenDeps } from "./tokens.ts";

const origin = "https://orchestrator.test";
const nowMs = Date.parse("2026-01-01T00:00:00Z");
const now = nowMs / 1000;
const pair = await generateKeyPair("EdDSA");
const signer = signerOf("EdDSA", pair);
const agent: RegisteredAgent = {
  id: "a".repeat(32),
  tenant: "contoso",
  site: "oslo",
  status: "active",
  identity: pair.publicJwk,
  kid: pair.kid,
  current: pair.kid,
  unseal: { kid: "u".repeat(43), signed: true },
  canary: null,
};
const report = { journal: null, policy: toBase64url(sha256()), locked: false, draining: true, version: "0.1.0" };
const body = utf8(JSON.stringify(report));

function memory(registered: RegisteredAgent = agent) {
  const jtis = new Set<string>();
  const reports: unknown[] = [];
  const deps: TokenDeps = {
    origin,
    listenRule: { host: "contoso.servicebus.windows.net", keyName: "listen", key: "secret" },
    canarySeconds: 300,
    keysStatement: async () => "statement",
    keyChainSince: (seq) => ["two", "three"].slice(seq - 1),
    rotate: async () => true,
    publishUnseal: async () => undefined,
    confirm: async () => "confirmed",
    findByKid: async (kid) => (kid === registered.kid ? registered : undefined),
    useJti: async (id, jti) => jtis.size !== jtis.add(`${id} ${jti}`).size,
    report: async (_, said) => {
      reports.push(said);
      return said.journal;
    },
    now: () => new Date(nowMs),
  };
  return { deps, jtis, reports };
}

const claims = (over: Record<string, unknown> = {}) => ({
  iss: agent.id,
  sub: agent.id,
  aud: origin,
  iat: now,
  exp: now + 60,
  jti: "0123456789abcdef",
  method: "POST",
  path: "/api/agent/token",
  body: toBase64url(sha256(body)),
  ...over,
});

async function requestOf(over: Record<string, unknown> = {}): Promise<AgentRequest> {
  const jws = await signJws("token", claims(over), signer);
  return { authorization: `Bearer ${jws}`, method: "POST", path: "/api/agent/token", body };
}

const refuses = async (request: AgentRequest, error: object, deps = memory().deps) =>
  assert.rejects(authenticateAgent(deps, request), error);

describe("an agent's signed request", () => {
  it("says who it is, and a field of later versions does no harm", async () => {
    assert.deepEqual(await authenticateAgent(memory().deps, await requestOf()), agent);
    assert.deepEqual(await authenticateAgent(memory().deps, await requestOf({ more: 1 })), agent);
  });

  const wrong = {
    iss: "b".repeat(32),
    sub: "b".repeat(32),
    aud: "https://elsewhere.test",
    method: "GET",
    path: "/api/agent/health",
    body: toBase64url(sha256(utf8("other"))),
    iat: "now",
    exp: null,
    jti: "short",
  };
  for (const [name, value] of Object.entries(wrong)) {
    it(`with a wrong ${name}, or without one, is refused`, async () => {
      const invalid = { code: "token.invalid", detail: { reason: "claims" } };
      await refuses(await requestOf({ [name]: value }), invalid);
      await refuses(await requestOf({ [name]: undefined }), invalid);
    });
  }

  it("sent with another body, path or method than it signed is refused", async () => {
    const request = await requestOf();
    for (const over of [{ body: utf8("{}") }, { path: "/api/agent/health" }, { method: "GET" }]) {
      await refuses({ ...request, ...over }, { code: "token.invalid" });
    }
  });

  it("lives at most a minute, and not backwards", async () => {
    await authenticateAgent(memory().deps, await requestOf({ exp: now + 1 }));
    for (const exp of [now + 61, now, now - 1, now + 86_400]) {
      await refuses(await requestOf({ exp }), { code: "token.invalid", detail: { reason: "life" } });
    }
  });

  it("may be five minutes off; beyond that it learns the server's time", async () => {
    for (const skew of [-300, 300]) {
      await authenticateAgent(memory().deps, await requestOf({ iat: now + skew, exp: now + skew + 60 }));
    }
    for (const skew of [-301, 301]) {
      await refuses(await requestOf({ iat: now + skew, exp: now + skew + 60 }), {
        code: "token.clock_skew",
        detail: { serverTime: "2026-01-01T00:00:00.000Z" },
      });
    }
  });

  it("is taken once", async () => {
    const { deps } = memory();
    const request = await requestOf();
    await authenticateAgent(deps, request);
    await refuses(request, { code: "token.replayed" }, deps);
    await authenticateAgent(deps, await requestOf({ jti: "fedcba9876543210" }));
  });

  it("uses up no jti when it is refused before", async () => {
    const { deps, jtis } = memory();
    for (const over of [{ aud: "https://elsewhere.test" }, { exp: now + 99 }, { iat: now - 999, exp: now - 950 }]) {
      await assert.rejects(authenticateAgent(deps, await requestOf(over)));
    }
    assert.equal(jtis.size, 0);
  });

  it("of a pending or revoked agent is refused by name", async () => {
    for (const status of ["pending", "revoked"] as const) {
      await refuses(await requestOf(), { code: `agent.${status}` }, memory({ ...agent, status }).deps);
    }
  });

  it("by an unknown key is refused", async () => {
    const other = await generateKeyPair("EdDSA");
    const request = await requestOf();
    const jws = await signJws("token", claims(), signerOf("EdDSA", other));
    await refuses({ ...request, authorization: `Bearer ${jws}` }, { code: "agent.unknown" });
  });

  it("by another key under the agent's kid, or for another purpose, is refused", async () => {
    const other = await generateKeyPair("EdDSA");
    const request = await requestOf();
    const forged = await signJws("token", claims(), { ...signerOf("EdDSA", other), kid: pair.kid });
    await refuses({ ...request, authorization: `Bearer ${forged}` }, { code: "token.invalid" });
    const hello = await signJws("hello", claims(), signer);
    await refuses(
      { ...request, authorization: `Bearer ${hello}` },
      { code: "token.invalid", detail: { reason: "typ" } },
    );
  });

  it("that is none at all is refused", async () => {
    const request = await requestOf();
    for (const authorization of [
      null,
      "",
      "Bearer",
      "Bearer a.b.c",
      "Basic abc",
      "Bearer ..",
      `${request.authorization}`.slice(7),
    ]) {
      await refuses({ ...request, authorization }, { code: "agent.unknown" });
    }
  });
});

describe("a listen token", () => {
  it("is for the agent's own path only, for half an hour, renewed after half of it", async () => {
    const { deps, reports } = memory();
    const answer = tokenAnswer.parse(await issueToken(deps, agent, body));
    const [, resource, , expiry, rule] =
      /^SharedAccessSignature sr=([^&]+)&sig=([^&]+)&se=(\d+)&skn=(.+)$/.exec(answer.token) ?? [];
    assert.equal(decodeURIComponent(resource!), `http://contoso.servicebus.windows.net/a-${agent.id}/`);
    assert.deepEqual([Number(expiry), rule], [now + 1800, "listen"]);
    assert.equal(answer.expiresAt, "2026-01-01T00:30:00.000Z");
    assert.equal(answer.renewAfter, "2026-01-01T00:15:00.000Z");
    assert.equal(answer.serverTime, "2026-01-01T00:00:00.000Z");
    assert.doesNotMatch(JSON.stringify(answer), /secret/);
    assert.deepEqual(reports, [report]);
  });
  it("is not given for a report that does not fit", async () => {
    const { deps, reports } = memory();
    for (const text of ["", "{}", "[]", JSON.stringify({ ...report, locked: "no" })]) {
      await assert.rejects(issueToken(deps, agent, utf8(text)), { code: "token.invalid", detail: { reason: "body" } });
    }
    assert.deepEqual(reports, []);
  });
});
