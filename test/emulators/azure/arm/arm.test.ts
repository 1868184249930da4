/** The emulator of Resource Manager: what our client makes, the service's own client reads, and the other way round. */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { describe, it, type TestContext } from "node:test";
import tls from "node:tls";
import { RelayAPI } from "@azure/arm-relay";
import { createHybridConnections } from "@sallyport/cloud/src/agents/hybrid-connections.ts";
import { makeAccessToken } from "../../functions-host/identity/token.ts";
import { makeAuthority } from "../../tls/certificates.ts";
import { startArm } from "./start.ts";

const PRINCIPAL = "33333333-3333-4333-8333-333333333333";
const HYBRID = "Microsoft.Relay/namespaces/hybridConnections";

/** Resource Manager on loopback, our calls against it, and those of the service's own client. */
async function managed(t: TestContext, rights: readonly string[]) {
  const authority = await makeAuthority();
  tls.setDefaultCACertificates([...tls.getCACertificates("default"), authority.caPem]);
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const privateKeyPem = privateKey.export({ type: "pkcs8", format: "pem" }) as string;
  const paths = new Set<string>();
  const arm = await startArm({
    tls: await authority.issue({ names: ["localhost"] }),
    issuer: { jwk: publicKey.export({ format: "jwk" }) as never, rights: { [PRINCIPAL]: rights } },
    relay: { put: ({ path }) => void paths.add(path), remove: (path) => paths.delete(path) },
  });
  t.after(() => arm.close());
  const identity = { principalId: PRINCIPAL, clientId: PRINCIPAL, privateKeyPem };
  const token = async () =>
    (await makeAccessToken(identity, "https://management.azure.com", Math.floor(Date.now() / 1000))).token;
  const credential = { getToken: async () => ({ token: await token(), expiresOnTimestamp: Date.now() + 3_600_000 }) };
  const client = new RelayAPI(credential, "s", { endpoint: arm.url });
  const path = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Relay/namespaces/relay-x";
  return { arm, client, paths, connections: createHybridConnections({ resource: `${arm.url}${path}`, token }) };
}

describe("hybrid connections on the emulator of Resource Manager, beside @azure/arm-relay", () => {
  it("what we make is what that client reads, and the other way round", async (t) => {
    const { client, connections, paths } = await managed(t, ["*"]);
    const made = await client.namespaces.beginCreateOrUpdateAndWait("g", "relay-x", { location: "norwayeast" });
    assert.equal(made.location, "norwayeast");
    await connections.create("a-1");
    assert.equal((await client.hybridConnections.get("g", "relay-x", "a-1")).requiresClientAuthorization, true);
    await client.hybridConnections.createOrUpdate("g", "relay-x", "a-2", { requiresClientAuthorization: true });
    assert.deepEqual([...paths], ["a-1", "a-2"]);
    await connections.remove("a-2");
    await connections.remove("a-2");
    await client.hybridConnections.delete("g", "relay-x", "a-1");
    assert.deepEqual([...paths], []);
    await assert.rejects(client.hybridConnections.get("g", "relay-x", "a-1"), { statusCode: 404 });
    await client.namespaces.beginDeleteAndWait("g", "relay-x");
    await assert.rejects(client.namespaces.get("g", "relay-x"), { statusCode: 404, code: "ResourceNotFound" });
  });
  it("with the rights of the app's role: connections, and no namespace", async (t) => {
    const { arm, client, connections } = await managed(
      t,
      ["read", "write", "delete"].map((verb) => `${HYBRID}/${verb}`),
    );
    await connections.create("a-1");
    await assert.rejects(client.namespaces.beginDelete("g", "relay-x"), {
      statusCode: 403,
      code: "AuthorizationFailed",
    });
    arm.refuseNext({ path: /a-2$/, status: 429, code: "TooManyRequests", times: 2, retryAfterSeconds: 0 });
    await connections.create("a-2");
    assert.deepEqual(
      arm.asked.map(({ status }) => status),
      [200, 403, 429, 429, 200],
    );
  });
  it("without rights a refusal", async (t) => {
    const { connections } = await managed(t, []);
    await assert.rejects(connections.create("a-1"), { code: "storage.failed", detail: { status: 403, method: "PUT" } });
  });
});
