import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { type HttpHandler, HttpRequest, type HttpRequestInit, InvocationContext } from "@azure/functions";
import { ERRORS, SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { newConnection, problem } from "@sallyport/shared/schema/api.ts";
import { z } from "zod";
import { drawKey } from "./api-keys.ts";
import { parse } from "./body.ts";
import { type GuardDeps, guarded, type Handler, open } from "./guard.ts";
import { createRates } from "./rates.ts";
import type { GuardedRoute } from "./routes/route.ts";

const { key, sha256 } = drawKey("etl-job", randomBytes);

/** Records of changes, in memory. */
const audit = {
  insert: async () => true,
  get: async () => undefined,
} as unknown as GuardDeps["store"]["audit"];

const deps = async (): Promise<GuardDeps> => ({
  store: { audit, repeats: {} as GuardDeps["store"]["repeats"] },
  authentication: {
    entra: undefined,
    keys: {
      adminKeySha256: "0".repeat(64),
      findKey: async (id) =>
        id === "etl-job"
          ? {
              ...{ id, tenant: "contoso", scopes: ["connections:write"], sha256, previous: null },
              ...{ only: null, expiresAt: null, revokedAt: null, used: async () => undefined },
            }
          : undefined,
      now: () => new Date(),
    },
  },
  rates: createRates({ perSecond: 1, burst: 1000 }, () => 0),
  places: { of: async () => [{}], complete: async () => ({}) },
  repeatKey: async () => randomBytes(32),
  now: () => new Date(),
  random: randomBytes,
});

const ROUTE: GuardedRoute = {
  ...{ method: "POST", path: "v1/tenants/{tenant}/connections", scope: "connections:write", about: "body" },
  ...{ does: "Makes.", body: newConnection, answer: z.unknown(), status: 200 },
};
const { body: _body, ...WITHOUT_BODY } = ROUTE;
const handle = (handler: Handler, route: GuardedRoute = ROUTE) => guarded(deps, "connections-add", route, handler);

interface Asked extends HttpRequestInit {
  readonly authorization?: string;
}

/** Calls a handler as the platform would; what it logged comes along. */
async function ask(handler: HttpHandler, { authorization = `Bearer ${key}`, ...init }: Asked = {}) {
  const logged: unknown[][] = [];
  const context = new InvocationContext({ logHandler: (_level, ...all) => void logged.push(all) });
  const request = new HttpRequest({
    method: "POST",
    url: "https://orchestrator.test/api/v1/tenants/contoso/connections",
    params: { tenant: "contoso" },
    ...init,
    headers: { authorization, ...init.headers },
  });
  const answer = await handler(request, context);
  assert.ok(answer && ("jsonBody" in answer || "body" in answer));
  const json = "jsonBody" in answer ? answer.jsonBody : JSON.parse(String(answer.body));
  return { ...answer, json, logged: logged.flat().map(String).join(" ") };
}

const echo = handle(async (call) => ({
  who: call.principal.id,
  tenant: call.tenant,
  body: call.body(newConnection),
}));
const connection = { id: "erp", site: "oslo", kind: "mssql" };

describe("a guarded function", () => {
  it("gives its handler who calls, for which tenant, and a checked body", async () => {
    const { status, json, headers } = await ask(echo, { body: { string: JSON.stringify(connection) } });
    assert.equal(status, 200);
    assert.deepEqual(json, { who: "etl-job", tenant: "contoso", body: connection });
    assert.deepEqual(headers, { "content-type": "application/json", "cache-control": "no-store" });
  });
  it("answers problem details (RFC 9457) with code, advice and an instance", async () => {
    const { status, json, headers } = await ask(echo, { authorization: "Bearer no" });
    const { instance, ...rest } = problem.parse(json);
    assert.deepEqual(rest, {
      type: "urn:sallyport:api.unauthenticated",
      title: "api.unauthenticated",
      status: 401,
      code: "api.unauthenticated",
      detail: "There is no such API key, or it has expired.",
      advice: ERRORS["api.unauthenticated"].advice,
      facts: {},
    });
    assert.equal(status, 401);
    assert.match(instance, /^urn:uuid:[0-9a-f-]{36}$/);
    assert.deepEqual(headers, {
      "content-type": "application/problem+json",
      "cache-control": "no-store",
      "www-authenticate": "Bearer",
    });
  });
  it("refuses another tenant, another scope, and a tenant that is none, before the body is read", async () => {
    const reading = handle(async (call) => call.body(newConnection), { ...ROUTE, scope: "pulls:write" });
    assert.equal((await ask(reading, { body: { string: "{" } })).json.code, "api.forbidden");
    assert.equal(
      (await ask(echo, { params: { tenant: "fabrikam" }, body: { string: "{" } })).json.code,
      "api.forbidden",
    );
    assert.equal((await ask(echo, { params: { tenant: "../x" } })).json.code, "api.invalid");
    // An address without a tenant is above tenants: a tenant's key has no business there.
    assert.equal((await ask(echo, { params: {} })).json.code, "api.forbidden");
  });
});

describe("a part of the address", () => {
  const named = handle(
    async (call) => ({ site: call.param("site"), digits: call.param("n", z.string().regex(/^[0-9]+$/)) }),
    WITHOUT_BODY,
  );
  it("that fits is given", async () => {
    const { json } = await ask(named, { params: { tenant: "contoso", site: "oslo", n: "12" } });
    assert.deepEqual(json, { site: "oslo", digits: "12" });
  });
  it("that cannot be one is api.not_found, and nothing is logged", async () => {
    for (const params of [
      { site: "OSLO", n: "12" },
      { site: "a|b", n: "12" },
      { site: "oslo", n: "x" },
      { site: "oslo" },
    ]) {
      const { status, logged } = await ask(named, { params: { tenant: "contoso", ...params } });
      assert.deepEqual([status, logged], [404, ""]);
    }
  });
});

describe("a body", () => {
  const codeOf = async (body: string, headers = {}) => (await ask(echo, { body: { string: body }, headers })).json.code;
  it("that is no JSON is api.invalid", async () => {
    for (const text of ["", "{", "\ufeff{}", "undefined"]) assert.equal(await codeOf(text), "api.invalid");
  });
  it("over 256 KiB is api.too_large, said or not", async () => {
    const fits = `${JSON.stringify(connection).slice(0, -1)}${" ".repeat(256 * 1024 - JSON.stringify(connection).length)}}`;
    assert.equal((await ask(echo, { body: { string: fits } })).status, 200);
    const { status, json } = await ask(echo, { body: { string: `${fits} ` } });
    assert.deepEqual([status, json.code, json.facts], [413, "api.too_large", { maxBytes: 262_144 }]);
    assert.equal(await codeOf("{}", { "content-length": "262145" }), "api.too_large");
  });
  it("that does not fit names its fields, never a value", async () => {
    const bad = { id: "MARK-4711", site: 4711, kind: "mark-4711", more: "mark-4711" };
    const { json } = await ask(echo, { body: { string: JSON.stringify(bad) } });
    assert.equal(json.code, "api.invalid");
    for (const name of ["id:", "site:", "kind:"])
      assert.ok(json.facts.fields.some((text: string) => text.startsWith(name)));
    assert.ok(json.facts.fields.some((text: string) => text.includes("more")));
    assert.doesNotMatch(JSON.stringify(json), /4711/);
  });
  it("with a thousand faults names sixteen", () => {
    const value = Array.from({ length: 1000 }, () => 1);
    assert.throws(
      () => parse(z.array(z.string()), value, "body"),
      (error: SallyportError) => {
        assert.equal((error.detail.fields as string[]).length, 16);
        return true;
      },
    );
  });
});

describe("what a handler throws", () => {
  it("of ours becomes its own answer with its facts; below 500 nothing is logged", async () => {
    const { status, json, logged } = await ask(
      open(async () => {
        throw new SallyportError("api.conflict", "It exists.", { id: "erp" });
      }),
    );
    assert.deepEqual(
      [status, json.code, json.detail, json.facts, logged],
      [409, "api.conflict", "It exists.", { id: "erp" }, ""],
    );
  });
  it("of others becomes api.internal: their words are logged under the instance, and not answered", async () => {
    const { status, json, logged } = await ask(
      open(async () => {
        throw new TypeError("row value 4711");
      }),
    );
    assert.deepEqual([status, json.code], [500, "api.internal"]);
    assert.doesNotMatch(JSON.stringify(json), /4711/);
    assert.match(logged, /4711/);
    assert.ok(logged.includes(json.instance.slice("urn:uuid:".length)));
  });
  it("of ours from 500 on is logged too", async () => {
    const { logged } = await ask(
      open(async () => {
        throw new SallyportError("storage.failed", "The storage is gone.");
      }),
    );
    assert.match(logged, /storage\.failed/);
  });
});
