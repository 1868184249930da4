import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
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
