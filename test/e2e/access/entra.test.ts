/** Tokens of an OpenID provider: what is wrong with one never opens anything, and its keys are fetched no more than needed. */
import assert from "node:assert/strict";
import { createPublicKey, type KeyObject, randomBytes } from "node:crypto";
import { after, test } from "node:test";
import { getCACertificates, setDefaultCACertificates } from "node:tls";
import { authenticateToken, entra, grantsOf } from "@sallyport/cloud/src/access/entra.ts";
import { generateKeyPair } from "jose";
import { startEntra } from "../../emulators/entra/start.ts";
import { makeAuthority } from "../../emulators/tls/certificates.ts";

const authority = await makeAuthority();
setDefaultCACertificates([...getCACertificates("default"), authority.caPem]);
const provider = await startEntra({ tls: await authority.issue({ names: ["localhost"] }) });
after(() => provider.close());
const { issuer, audience } = provider;
const NO_COOLDOWN = 0;
const fresh = (cooldownMs?: number) => entra({ issuer, audience }, cooldownMs);
const refused = { code: "api.unauthenticated", message: "The token is not valid here.", detail: {} };

test("a good token says who calls, what for, and until when", async () => {
  const deps = fresh();
  const exp = Math.floor(Date.now() / 1000) + 300;
  const token = await provider.token({ roles: ["runs:read", "contoso/runs:start", "Else.Thing"], claims: { exp } });
  const principal = await authenticateToken(deps, token);
  assert.deepEqual(principal, {
    id: "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
    caller: "app:aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
    grants: [
      { tenant: null, scopes: new Set(["runs:read"]) },
      { tenant: "contoso", scopes: new Set(["runs:start"]) },
    ],
    only: null,
    expiresAt: new Date(exp * 1000).toISOString(),
  });
});

test("roles that are no scope, or whose tenant is none, give nothing", () => {
  for (const role of ["", "/", "runs:read/", "/runs:read", "a/b/runs:read", "Contoso/runs:read", "runs:READ", "*"])
    assert.deepEqual(grantsOf([role]), [], role);
  const [grant] = grantsOf(["contoso/runs:read", "contoso/runs:start", "contoso/runs:read"]);
  assert.deepEqual(grant, { tenant: "contoso", scopes: new Set(["runs:read", "runs:start"]) });
});

test("whatever is wrong with a token, it is refused in the same words", async () => {
  const deps = fresh();
  const nowSeconds = Math.floor(Date.now() / 1000);
  const other = (await generateKeyPair("RS256")).privateKey;
  const good = await provider.token({ roles: ["runs:read"] });
  const [head = "", body = "", signature = ""] = good.split(".");
  const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const claims = JSON.parse(Buffer.from(body, "base64url").toString()) as Record<string, unknown>;
  const { kid } = JSON.parse(Buffer.from(head, "base64url").toString()) as { kid: string };
  const wrong: Readonly<Record<string, string>> = {
    "another issuer": await provider.token({ claims: { iss: `${issuer}x` } }),
    "another audience": await provider.token({ claims: { aud: "somebody-else" } }),
    "no audience": await provider.token({ claims: { aud: undefined } }),
    expired: await provider.token({ claims: { exp: nowSeconds - 61 } }),
    "not yet valid": await provider.token({ claims: { nbf: nowSeconds + 120 } }),
    "for ever": await provider.token({ claims: { exp: undefined } }),
    "nobody's": await provider.token({ claims: { sub: undefined } }),
    "an id that no journal takes": await provider.token({ claims: { oid: "a b" } }),
    "roles that are none": await provider.token({ claims: { roles: "runs:read" } }),
    "an ID token of Entra's, issued to nobody": await provider.token({ claims: { azp: undefined } }),
    "an ID token that answers a sign-in": await provider.token({ claims: { nonce: "n" } }),
    "an ID token that came with an access token": await provider.token({ claims: { at_hash: "h" } }),
    "another key": await provider.token({ key: other }),
    "no algorithm": `${encode({ alg: "none", kid })}.${body}.`,
    "a shared secret": await provider.token({ header: { alg: "HS256" }, key: randomBytes(32) }),
    "the public key as a shared secret": await provider.token({
      ...{ header: { alg: "HS256" }, key: Buffer.from(await publicPem()) },
    }),
    "an altered body": `${head}.${encode({ ...claims, roles: ["keys:write"] })}.${signature}`,
    "a critical header": `${encode({ alg: "RS256", kid, crit: ["x"], x: 1 })}.${body}.${signature}`,
    "no kid of theirs": await provider.token({ header: { kid: "unknown" } }),
    "a torn one": `${head}.${body}`,
  };
  for (const [name, token] of Object.entries(wrong))
    await assert.rejects(authenticateToken(deps, token), refused, name);
  await authenticateToken(deps, good);
});

/** What an attacker knows: the published key, as PEM. */
async function publicPem(): Promise<string> {
  const { jwks_uri } = (await (await fetch(`${issuer}/.well-known/openid-configuration`)).json()) as {
    jwks_uri: string;
  };
  const { keys } = (await (await fetch(jwks_uri)).json()) as { keys: [{ kty: string }] };
  const key: KeyObject = createPublicKey({ key: keys[0], format: "jwk" });
  return String(key.export({ type: "spki", format: "pem" }));
}

test("an unknown key id fetches the keys once, whoever sends how many", async () => {
  const deps = fresh();
  const before = provider.fetches;
  await authenticateToken(deps, await provider.token());
  assert.equal(provider.fetches - before, 1);
  const unknown = await Promise.all(
    Array.from({ length: 20 }, (_, index) => provider.token({ header: { kid: `unknown-${index}` } })),
  );
  const outcomes = await Promise.allSettled(unknown.map((token) => authenticateToken(deps, token)));
  assert.ok(outcomes.every(({ status }) => status === "rejected"));
  assert.equal(provider.fetches - before, 1, "within the cool-down nothing is fetched");
});

test("a key that the provider rotated to is found, and the one before no longer counts", async () => {
  const deps = fresh(NO_COOLDOWN);
  const old = await provider.token();
  await authenticateToken(deps, old);
  const before = provider.fetches;
  await provider.rotate();
  await authenticateToken(deps, await provider.token());
  assert.equal(provider.fetches - before, 1);
  await assert.rejects(authenticateToken(deps, old), refused);
});

test("a provider that does not answer is not the token's fault, and is asked again when it is back", async () => {
  provider.fail(true);
  const deps = fresh(NO_COOLDOWN);
  const token = await provider.token();
  await assert.rejects(authenticateToken(deps, token), { code: "api.identity_provider" });
  provider.fail(false);
  await authenticateToken(deps, token);
});

test("a discovery document of another issuer is not taken", async () => {
  const deps = entra({ issuer: `${issuer}/`, audience });
  await assert.rejects(authenticateToken(deps, await provider.token()), { code: "api.identity_provider" });
});
