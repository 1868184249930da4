import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { after, test } from "node:test";
import { ManagedIdentityCredential } from "@azure/identity";
import { decodeJwt } from "jose";
import { answerImds, startImds } from "./imds.ts";

const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const identity = {
  principalId: "33333333-3333-4333-8333-333333333333",
  clientId: "44444444-4444-4444-8444-444444444444",
  privateKeyPem: privateKey.export({ type: "pkcs8", format: "pem" }) as string,
};
const imds = await startImds(identity);
process.env.AZURE_POD_IDENTITY_AUTHORITY_HOST = imds.url;
after(() => imds.close());

test("a virtual machine's identity gets a token for a resource", async () => {
  const credential = new ManagedIdentityCredential({ clientId: identity.clientId });
  const { token } = await credential.getToken("https://vault.azure.net/.default");
  const { aud, oid } = decodeJwt(token);
  assert.deepEqual([aud, oid], ["https://vault.azure.net", identity.principalId]);
});

const QUERY = "?api-version=2018-02-01&resource=https%3A%2F%2Fvault.azure.net";
const REFUSED: readonly [what: string, path: string, header: string | undefined, status: number][] = [
  ["what was forwarded", `/metadata/identity/oauth2/token${QUERY}`, undefined, 400],
  ["another path", `/metadata/instance${QUERY}`, "true", 404],
  ["no version", "/metadata/identity/oauth2/token?resource=x", "true", 400],
  ["no resource", "/metadata/identity/oauth2/token?api-version=2018-02-01", "true", 400],
  ["another identity", `/metadata/identity/oauth2/token${QUERY}&client_id=x`, "true", 400],
];
for (const [what, path, header, status] of REFUSED)
  test(`${what} gets ${status} and no token`, async () => {
    const reply = await answerImds(new URL(path, "http://localhost"), header, identity);
    assert.equal(reply.status, status);
    assert.ok(!("access_token" in reply.body));
  });
