import assert from "node:assert/strict";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { test } from "node:test";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { type Bench, closing, makeBench, outcome, RULES } from "./clients.ts";
import { makeTokenChecks } from "./token-checks.ts";

const NAMESPACE = "/subscriptions/s1/resourceGroups/g1/providers/Microsoft.Relay/namespaces/ns1";

type Call = { method?: string; target: string; token?: string; body?: string; version?: string };

async function call(bench: Bench, { method = "GET", target, token = "good", body, version = "2021-11-01" }: Call) {
  const url = `https://localhost:${bench.relay.controlPort}${target}${version ? `?api-version=${version}` : ""}`;
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const request = httpsRequest(url, { method, ca: bench.ca, headers }).end(body);
  const [response] = (await once(request, "response")) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  return { status: response.statusCode, body: text === "" ? undefined : JSON.parse(text) };
}

const managementToken = (bearer: string) => bearer === "good";

test("a hybrid connection is made, read, changed, listed and deleted", async (t) => {
  const bench = await makeBench(t, { managementToken, entities: [] });
  const target = `${NAMESPACE}/hybridConnections/agent-1`;
  const body = JSON.stringify({ properties: { requiresClientAuthorization: true, userMetadata: "meta" } });
  const made = await call(bench, { method: "PUT", target, body });
  assert.equal(made.status, 200);
  assert.equal(made.body.id, target);
  assert.equal(made.body.name, "agent-1");
  assert.equal(made.body.type, "Microsoft.Relay/namespaces/hybridConnections");
  assert.deepEqual(
    [
      made.body.properties.requiresClientAuthorization,
      made.body.properties.userMetadata,
      made.body.properties.listenerCount,
    ],
    [true, "meta", 0],
  );
  const { control, senderSide, listenerSide } = await bench.pair("agent-1");
  const read = await call(bench, { target, version: "2024-01-01" });
  assert.equal(read.body.properties.listenerCount, 1);
  assert.equal(read.body.properties.createdAt, made.body.properties.createdAt);
  const changed = await call(bench, {
    method: "PUT",
    target,
    body: '{"properties":{"requiresClientAuthorization":false}}',
  });
  assert.deepEqual(
    [changed.body.properties.requiresClientAuthorization, changed.body.properties.listenerCount],
    [false, 1],
  );
  const list = await call(bench, { target: `${NAMESPACE}/hybridConnections` });
  assert.deepEqual(
    list.body.value.map((entity: { name: string }) => entity.name),
    ["agent-1"],
  );
  const closed = [control, senderSide, listenerSide].map(closing);
  assert.equal((await call(bench, { method: "DELETE", target })).status, 200);
  for (const { code, reason } of await Promise.all(closed)) {
    assert.equal(code, 1001);
    assert.match(reason, /TrackingId:/);
  }
  assert.equal((await call(bench, { method: "DELETE", target })).status, 204);
  const missing = await call(bench, { target });
  assert.deepEqual([missing.status, missing.body.error.code], [404, "ResourceNotFound"]);
  const url = bench.url("listen", "agent-1");
  const refused = await outcome(bench.open(url, { headers: { ServiceBusAuthorization: bench.token(RULES.listen) } }));
  assert.equal(refused.status, 404);
});

test("names with slashes arrive escaped or with tildes", async (t) => {
  const bench = await makeBench(t, { managementToken, entities: [] });
  await call(bench, {
    method: "PUT",
    target: `${NAMESPACE}/hybridConnections/t1%2Fagent-1`,
    body: '{"properties":{}}',
  });
  assert.equal((await call(bench, { target: `${NAMESPACE}/hybridConnections/t1~agent-1` })).body.name, "t1/agent-1");
});

test("a namespace rule's keys can be read", async (t) => {
  const bench = await makeBench(t, { managementToken });
  const { body } = await call(bench, { method: "POST", target: `${NAMESPACE}/authorizationRules/listen/listKeys` });
  assert.deepEqual(
    [body.keyName, body.primaryKey, body.secondaryKey],
    ["listen", "listen-primary", "listen-secondary"],
  );
  assert.equal(
    body.primaryConnectionString,
    "Endpoint=sb://localhost/;SharedAccessKeyName=listen;SharedAccessKey=listen-primary",
  );
  const none = await call(bench, { method: "POST", target: `${NAMESPACE}/authorizationRules/none/listKeys` });
  assert.equal(none.status, 404);
});

test("what is wrong is said in Resource Manager's words", async (t) => {
  const bench = await makeBench(t, { managementToken });
  const entity = `${NAMESPACE}/hybridConnections/a`;
  const cases: [call: Call, status: number, code: string][] = [
    [{ target: entity, token: "" }, 401, "AuthenticationFailed"],
    [{ target: entity, token: "bad" }, 401, "InvalidAuthenticationToken"],
    [{ target: entity, version: "" }, 400, "MissingApiVersionParameter"],
    [{ target: entity, version: "2016-07-01" }, 400, "InvalidResourceType"],
    [{ target: `${NAMESPACE}/wcfRelays/a` }, 404, "InvalidResourceType"],
    [{ target: `${NAMESPACE}/hybridConnections/..%2Fa` }, 400, "InvalidResourceName"],
    [{ target: entity, method: "PATCH" }, 405, "MethodNotAllowed"],
    [{ target: entity, method: "PUT", body: "{" }, 400, "BadRequest"],
    [
      { target: entity, method: "PUT", body: '{"properties":{"requiresClientAuthorization":"yes"}}' },
      400,
      "BadRequest",
    ],
  ];
  for (const [given, status, code] of cases) {
    const { status: got, body } = await call(bench, given);
    assert.deepEqual([got, body.error.code], [status, code]);
    assert.ok(body.error.message.length > 10);
  }
});

test("a managed identity's token sends, and manages, as its role assignments say", async (t) => {
  const { publicKey, privateKey } = await generateKeyPair("ES256");
  const sign = (oid: string, aud: string, key = privateKey, exp = "5m") =>
    new SignJWT({ oid }).setProtectedHeader({ alg: "ES256" }).setAudience(aud).setExpirationTime(exp).sign(key);
  const checks = await makeTokenChecks({
    jwk: (await exportJWK(publicKey)) as { kty: "EC"; crv: "P-256"; x: string; y: string },
    relay: { sender: ["Send"], owner: ["Manage"] },
    management: ["contributor"],
  });
  const bench = await makeBench(t, checks);
  const relayAudience = "https://relay.azure.net/";
  const stranger = await generateKeyPair("ES256");
  const cases: [name: string, token: string, action: "listen" | "connect", status: number][] = [
    ["sender", await sign("sender", relayAudience), "connect", 404],
    ["sender listens", await sign("sender", relayAudience), "listen", 403],
    ["owner listens", await sign("owner", relayAudience), "listen", 101],
    ["nobody", await sign("nobody", relayAudience), "connect", 403],
    ["other audience", await sign("sender", "https://management.azure.com/"), "connect", 401],
    ["other key", await sign("sender", relayAudience, stranger.privateKey), "connect", 401],
    ["expired", await sign("sender", relayAudience, privateKey, "-1s"), "connect", 401],
  ];
  for (const [name, token, action, status] of cases) {
    const socket = bench.open(bench.url(action, "agents/a1"), { headers: { ServiceBusAuthorization: token } });
    assert.equal((await outcome(socket)).status, status, name);
    const closed = closing(socket);
    socket.close();
    await closed;
  }
  const target = `${NAMESPACE}/hybridConnections`;
  assert.equal(
    (await call(bench, { target, token: await sign("contributor", "https://management.azure.com") })).status,
    200,
  );
  assert.equal(
    (await call(bench, { target, token: await sign("sender", "https://management.azure.com") })).status,
    401,
  );
  assert.equal((await call(bench, { target, token: await sign("contributor", relayAudience) })).status, 401);
});
