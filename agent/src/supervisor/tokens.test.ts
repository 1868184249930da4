import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { after, before, beforeEach, test } from "node:test";
import { generateKeyPair, signerOf } from "@sallyport/shared/crypto/identity.ts";
import { makeAuthority } from "../../../test/emulators/tls/certificates.ts";
import { systemClock } from "../clock.ts";
import type { SignedDeps } from "./signed.ts";
import { renewInMs, requestToken } from "./tokens.ts";

const NOW_MS = Date.parse("2026-01-01T00:00:00Z");
const ANSWER = {
  listenUrl: "wss://contoso.servicebus.windows.net/$hc/a-1?sb-hc-action=listen",
  token: "t",
  expiresAt: "2026-01-01T00:30:00Z",
  renewAfter: "2026-01-01T00:15:00Z",
  serverTime: "2026-01-01T00:00:00Z",
  settings: { canarySeconds: 300 },
  keys: "a.b.c",
};
const REPORT = { journal: null, policy: "p".repeat(43), locked: false, draining: false, version: "1.0.0" };

let server: Server;
let deps: SignedDeps;
let answers: { status: number; body: object }[];
let issued: number[];
before(async () => {
  const authority = await makeAuthority();
  const { cert, key } = await authority.issue({ names: ["localhost"], addresses: ["127.0.0.1"] });
  server = createServer({ cert, key }, (request, response) => {
    const [, claims = ""] = request.headers.authorization?.split(".") ?? [];
    issued.push((JSON.parse(Buffer.from(claims, "base64url").toString()) as { iat: number }).iat * 1000);
    const { status, body } = answers.shift()!;
    response.writeHead(status).end(JSON.stringify(body));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const signer = signerOf("EdDSA", await generateKeyPair("EdDSA"));
  const clock = { ...systemClock, wallMs: () => NOW_MS };
  const network = { caPem: authority.caPem };
  deps = { origin: `https://localhost:${port}`, agent: "a".repeat(32), signer, network, clock };
});
after(() => server.close());
beforeEach(() => {
  issued = [];
});

const ask = (...given: typeof answers) => {
  answers = given;
  return requestToken(deps, REPORT, new AbortController().signal);
};
const skewed = (serverTime: string) => ({ status: 401, body: { code: "token.clock_skew", facts: { serverTime } } });

test("a token that claims to live longer than an hour is refused", async () => {
  assert.equal((await ask({ status: 200, body: { ...ANSWER, expiresAt: "2026-01-01T01:00:00Z" } })).ok, true);
  const result = await ask({ status: 200, body: { ...ANSWER, expiresAt: "9999-12-31T23:59:59Z" } });
  assert.equal(!result.ok && result.code, "token.invalid");
});

test("a clock that is a day off is corrected for one signature; further off it is not", async () => {
  const good = { status: 200, body: ANSWER };
  assert.equal((await ask(skewed("2026-01-02T00:00:00Z"), good)).ok, true);
  assert.deepEqual(issued, [NOW_MS, NOW_MS + 86_400_000]);
  issued = [];
  const result = await ask(skewed("2026-01-02T00:00:01Z"), good);
  assert.equal(!result.ok && result.code, "token.clock_skew");
  assert.deepEqual(issued, [NOW_MS]);
});

test("a token is renewed between half and 0.6 of its life, by the server's times only", () => {
  assert.equal(
    renewInMs(ANSWER, () => 0),
    900_000,
  );
  assert.equal(Math.round(renewInMs(ANSWER, () => 0.999999)), 1_080_000);
  const minute = { ...ANSWER, expiresAt: "2026-01-01T00:01:00Z", renewAfter: "2026-01-01T00:00:30Z" };
  assert.equal(
    renewInMs(minute, () => 0),
    30_000,
  );
});

for (const [what, expiresAt, ms] of [
  ["no life", "2026-01-01T00:00:00Z", 5_000],
  ["a life that is over", "1999-01-01T00:00:00Z", 5_000],
  ["a life of thousands of years", "9999-12-31T23:59:59Z", 3600_000],
] as const) {
  test(`a token that claims ${what} is asked for again after ${ms} ms, not at once`, () => {
    const renewAfter = expiresAt;
    assert.equal(
      renewInMs({ ...ANSWER, expiresAt, renewAfter }, () => 0.5),
      ms,
    );
  });
}
