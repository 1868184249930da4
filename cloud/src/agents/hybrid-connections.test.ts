import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { describe, it, type TestContext } from "node:test";
import tls from "node:tls";
import { RelayAPI } from "@azure/arm-relay";
import { startArm } from "../../../test/emulators/azure/arm/start.ts";
import { makeAccessToken } from "../../../test/emulators/functions-host/identity/token.ts";
import { makeAuthority } from "../../../test/emulators/tls/certificates.ts";
import { createHybridConnections } from "./hybrid-connections.ts";

const resource = "https://management.azure.com/subscriptions/s/resourceGroups/g/providers/Microsoft.Relay/namespaces/n";

function answering(t: TestContext, answer: () => Promise<Response>) {
  const calls: { url: string; method: string | undefined; body: unknown; authorization: string | null }[] = [];
  t.mock.method(globalThis, "fetch", async (url: string, init: RequestInit) => {
    const authorization = new Headers(init.headers).get("authorization");
    calls.push({ url, method: init.method, body: init.body, authorization });
    return answer();
  });
  return { calls, connections: createHybridConnections({ resource, token: async () => "token" }) };
}

describe("hybrid connections in Azure Resource Manager", () => {
  it("are made so that senders need a token, and deleted by name", async (t) => {
    const { calls, connections } = answering(t, async () => new Response("{}"));
    await connections.create("a-1/2");
    await connections.remove("a-1");
    const address = (path: string) => `${resource}/hybridConnections/${path}?api-version=2024-01-01`;
    assert.deepEqual(calls, [
      {
        url: address("a-1%2F2"),
        method: "PUT",
        body: '{"properties":{"requiresClientAuthorization":true}}',
        authorization: "Bearer token",
      },
      { url: address("a-1"), method: "DELETE", body: undefined, authorization: "Bearer token" },
    ]);
  });
  it("are tried again when Resource Manager says, four times at most; what is gone counts as deleted", async (t) => {
    const answers = [429, 503, 200];
    const busy = answering(
      t,
      async () => new Response(null, { status: answers.shift()!, headers: { "retry-after": "0" } }),
    );
    await busy.connections.create("a");
    assert.equal(busy.calls.length, 3);
    t.mock.restoreAll();
    const always = answering(t, async () => new Response(null, { status: 429, headers: { "retry-after": "0" } }));
    await assert.rejects(always.connections.create("a"), {
      code: "storage.failed",
      detail: { status: 429, method: "PUT" },
    });
    assert.equal(always.calls.length, 4);
    t.mock.restoreAll();
    const gone = answering(t, async () => new Response(null, { status: 404 }));
    await gone.connections.remove("a");
    await assert.rejects(gone.connections.create("a"), { detail: { status: 404, method: "PUT" } });
  });
  it("a refusal and a silence are storage.failed, without the other's words", async (t) => {
    const refusing = answering(t, async () => new Response("secret words", { status: 403 }));
    await assert.rejects(refusing.connections.create("a"), {
      code: "storage.failed",
      detail: { status: 403, method: "PUT" },
    });
    t.mock.restoreAll();
    const silent = answering(t, async () => {
      throw new TypeError("fetch failed");
    });
    await assert.rejects(silent.connections.remove("a"), { code: "storage.failed", detail: { method: "DELETE" } });
  });
});

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
