import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { after, before, test } from "node:test";
import { ManagedIdentityCredential } from "@azure/identity";
import { jwtVerify } from "jose";
import { answerTokenRequest, type IdentityEndpoint, openIdentityEndpoint } from "./server.ts";
import { type Identity, ISSUER } from "./token.ts";

const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const identity: Identity = {
  principalId: "33333333-3333-4333-8333-333333333333",
  clientId: "44444444-4444-4444-8444-444444444444",
  privateKeyPem: privateKey.export({ type: "pkcs8", format: "pem" }) as string,
};

let endpoint: IdentityEndpoint;
before(async () => {
  endpoint = await openIdentityEndpoint(identity);
  Object.assign(process.env, endpoint.settings);
});
after(async () => {
  for (const name of Object.keys(endpoint.settings)) delete process.env[name];
  await endpoint.close();
});

const RESOURCE = "https://relay.azure.net/";

async function verify(token: string) {
  const options = { audience: RESOURCE, issuer: ISSUER, algorithms: ["ES256"], subject: identity.principalId };
  return (await jwtVerify(token, publicKey, options)).payload;
}

test("ManagedIdentityCredential gets a token for the system-assigned identity", async () => {
  const token = await new ManagedIdentityCredential().getToken("https://relay.azure.net//.default");
  const payload = await verify(token.token);
  assert.equal(payload.oid, identity.principalId);
  assert.equal(payload.appid, identity.clientId);
  assert.equal(payload.exp! - payload.iat!, 24 * 3600);
  // The library counts from its own clock in whole seconds.
  assert.ok(Math.abs(token.expiresOnTimestamp - payload.exp! * 1000) <= 2000);
});

test("it gets one by the client id of the user-assigned identity", async () => {
  const credential = new ManagedIdentityCredential({ clientId: identity.clientId });
  await verify((await credential.getToken("https://relay.azure.net//.default")).token);
});

test("another client id gets none", async () => {
  const credential = new ManagedIdentityCredential({ clientId: "55555555-5555-4555-8555-555555555555" });
  await assert.rejects(credential.getToken("https://relay.azure.net//.default"));
});

const QUERY = `?resource=${encodeURIComponent(RESOURCE)}&api-version=2019-08-01`;
const ask = (path: string, header: string | undefined = "secret") =>
  answerTokenRequest(new URL(path, "http://localhost"), header, { identity, secret: "secret" });

test("the answer has the documented members", async () => {
  const { status, body } = await ask(`/msi/token${QUERY}`);
  assert.equal(status, 200);
  assert.deepEqual(Object.keys(body).sort(), ["access_token", "client_id", "expires_on", "resource", "token_type"]);
  assert.match(String(body.expires_on), /^\d+$/);
  assert.equal(typeof body.expires_on, "string");
  assert.equal(body.resource, RESOURCE);
  assert.equal(body.token_type, "Bearer");
  assert.equal(body.client_id, identity.clientId);
});

const REFUSED: [what: string, path: string, header: string | undefined, status: number][] = [
  ["a wrong header", `/msi/token${QUERY}`, "guess", 401],
  ["an empty header", `/msi/token${QUERY}`, "", 401],
  ["another path", `/token${QUERY}`, "secret", 404],
  ["no resource", "/msi/token?api-version=2019-08-01", "secret", 400],
  ["another api-version", "/msi/token?resource=x&api-version=2017-09-01", "secret", 400],
  ["another principal", `/msi/token${QUERY}&principal_id=x`, "secret", 400],
  ["a resource id", `/msi/token${QUERY}&mi_res_id=x`, "secret", 400],
];

for (const [what, path, header, status] of REFUSED) {
  test(`${what} gets ${status} and no token`, async () => {
    const answer = await ask(path, header);
    assert.equal(answer.status, status);
    assert.equal("access_token" in answer.body, false);
  });
}

test("a request without the header at all gets 401 over the wire", async () => {
  const response = await fetch(`${endpoint.settings.IDENTITY_ENDPOINT}${QUERY}`);
  assert.equal(response.status, 401);
  assert.deepEqual(Object.keys((await response.json()) as object), ["statusCode", "message"]);
});
