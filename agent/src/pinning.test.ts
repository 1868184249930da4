import assert from "node:assert/strict";
import { before, test } from "node:test";
import { generateKeyPair, type KeyPair, signerOf, thumbprint } from "@sallyport/shared/crypto/identity.ts";
import { signJws } from "@sallyport/shared/crypto/jws.ts";
import type { TokenAnswer } from "@sallyport/shared/schema/api.ts";
import { acceptAnswer } from "./pinning.ts";
import type { Pinned } from "./state.ts";

const ORIGIN = "https://sallyport.example";
const AGENT = "0".repeat(32);
const RELAY = "contoso.servicebus.windows.net";
const LISTEN = `wss://${RELAY}/$hc/a-${AGENT}?sb-hc-action=listen`;
let old: KeyPair;
let next: KeyPair;
let pinned: Pinned;
before(async () => {
  [old, next] = [await generateKeyPair("ES256"), await generateKeyPair("ES256")];
  pinned = {
    v: 1,
    agent: AGENT,
    tenant: "contoso",
    tenantName: "Contoso",
    site: "oslo",
    siteName: "Oslo",
    origin: ORIGIN,
    relayHost: RELAY,
    listenUrl: LISTEN,
    keysSeq: 5,
    keys: [{ ...old.publicJwk }],
    settings: { canarySeconds: 300 },
  };
});

async function answer(
  change: Partial<TokenAnswer> = {},
  statement: object = {},
  by: KeyPair = old,
): Promise<TokenAnswer> {
  const claims = { aud: ORIGIN, seq: 6, iat: 0, keys: [old.publicJwk, next.publicJwk], ...statement };
  return {
    listenUrl: LISTEN,
    token: "t",
    expiresAt: "2026-01-01T00:30:00Z",
    renewAfter: "2026-01-01T00:15:00Z",
    serverTime: "2026-01-01T00:00:00Z",
    settings: { canarySeconds: 300 },
    keys: await signJws("keys", claims, signerOf("ES256", by)),
    ...change,
  };
}

test("a statement by a pinned key replaces the set and raises the number", async () => {
  const result = await acceptAnswer(pinned, await answer());
  assert.ok(result.ok && result.changed);
  assert.equal(result.pinned.keysSeq, 6);
  assert.equal(result.pinned.keys.length, 2);
  assert.deepEqual(result.newKids, [await thumbprint(next.publicJwk)]);
  const again = await acceptAnswer(result.pinned, await answer());
  assert.ok(again.ok && !again.changed);
  assert.deepEqual(again.newKids, []);
});

test("a pending agent takes its first listen URL at the relay of its enrolment, and at no other", async () => {
  const pending = { ...pinned, listenUrl: null };
  const result = await acceptAnswer(pending, await answer());
  assert.equal(result.ok && result.pinned.listenUrl, LISTEN);
  const elsewhere = await answer({ listenUrl: LISTEN.replace(RELAY, "attacker.example") });
  assert.equal((await acceptAnswer(pending, elsewhere)).ok, false);
});

test("another port than 443 counts only as it was pinned", async () => {
  const at = (port: string) => answer({ listenUrl: LISTEN.replace(RELAY, `${RELAY}${port}`) });
  assert.equal((await acceptAnswer(pinned, await at(":443"))).ok, true);
  assert.equal((await acceptAnswer(pinned, await at(":8443"))).ok, false);
  const other = { ...pinned, relayHost: `${RELAY}:8443` };
  assert.equal((await acceptAnswer(other, await at(":8443"))).ok, true);
  assert.equal((await acceptAnswer(other, await at(""))).ok, false);
});

for (const [what, make] of [
  ["another namespace", () => answer({ listenUrl: LISTEN.replace("contoso", "fabrikam") })],
  ["another path", () => answer({ listenUrl: LISTEN.replace(AGENT, "1".repeat(32)) })],
  ["no wss", () => answer({ listenUrl: LISTEN.replace("wss:", "ws:") })],
  ["a statement by a stranger", () => answer({}, {}, next)],
  ["a lower number", () => answer({}, { seq: 4 })],
  ["another origin", () => answer({}, { aud: "https://other.example" })],
  ["an empty set", () => answer({}, { keys: [] })],
  ["a private key in the set", () => answer({}, { keys: [{ ...old.privateJwk }] })],
  ["no statement", () => answer({ keys: "a.b.c" })],
  [
    "a signature of another purpose",
    async () =>
      answer({ keys: await signJws("request", { aud: ORIGIN, seq: 6, iat: 0, keys: [] }, signerOf("ES256", old)) }),
  ],
] as const) {
  test(`${what} is refused`, async () => assert.equal((await acceptAnswer(pinned, await make())).ok, false));
}
