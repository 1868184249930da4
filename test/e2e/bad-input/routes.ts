/** Every route that the function app has registered, as its host says, called by whoever may not. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { before, it } from "node:test";
import { ERRORS } from "@sallyport/shared/protocol/errors.ts";
import { type Scope, scope } from "@sallyport/shared/schema/api.ts";
import { call } from "../../stack/https.ts";
import { CONNECTION, SITE, type Stack, TENANT } from "../../stack/start.ts";
import { assertProblem } from "./refusals.ts";

interface Route {
  readonly name: string;
  readonly method: string;
  /** Below /api/, with its parts in braces. */
  readonly route: string;
}

/** What stands in an address for each of its parts: all of it is there, so that nothing but the key is wrong. */
const PARTS: Readonly<Record<string, string>> = {
  tenant: TENANT,
  site: SITE,
  agent: "0".repeat(32),
  connection: CONNECTION,
  pull: "nowhere",
  run: "nowhere.1234567890123-00000000",
  key: "nobody",
  request: "0".repeat(32),
  webhook: "nobody",
  letter: "0",
  channel: "stable",
  ring: "broad",
  version: "1.0.0",
  file: "none.tar.gz",
};
/** A key that may remove something finds nothing to remove: those after it need what is there. */
const REMOVED: typeof PARTS = { ...PARTS, site: "nobody", connection: "nobody", pull: "nobody" };
/** Routes that ask for no key: agents sign what they send, health and the API's description are public. */
const OPEN: readonly string[] = [
  ...["agent-enrol", "agent-health", "agent-release-file", "agent-releases", "agent-token", "health", "openapi"],
];

/** The routes, from what the host logged when it mapped them. */
function routesOf({ folder }: Stack): Route[] {
  const log = readFileSync(join(folder, "logs/function-app.log"), "utf8");
  return [...log.matchAll(/Mapped function route '([^']+)' \[([A-Z,]+)\] to '([^']+)'/g)].flatMap(
    ([, route, methods, name]) => methods!.split(",").map((method) => ({ name: name!, method, route: route! })),
  );
}

export function badKeys(stack: () => Stack): void {
  let routes: readonly Route[] = [];
  const keys = { otherTenants: "", withoutIt: (_: Scope) => "", limited: "" };
  const ask = async ({ method, route }: Route, authorization?: string) => {
    const parts = method === "DELETE" ? REMOVED : PARTS;
    const path = route.replace(/\{([^}:?]+)[^}]*\}/g, (_, part: string) => parts[part] ?? "nowhere");
    const answer = await call(`${stack().origin}/api/${path}`, {
      method,
      ca: stack().caPem,
      headers: { "content-type": "application/json", ...(authorization === undefined ? {} : { authorization }) },
      ...(method === "GET" ? {} : { body: "{ this is not JSON" }),
    });
    return { status: answer.status, body: answer.body.toString("utf8") };
  };
  const keyFor = async (id: string, tenant: string, scopes: readonly Scope[]) =>
    `Bearer ${(await stack().api.post<{ key: string }>("/keys", { id, tenant, scopes })).key}`;
  const guardedRoutes = () => routes.filter(({ name }) => !OPEN.includes(name));

  before(async () => {
    routes = routesOf(stack());
    await stack().api.post("/tenants", { id: "northwind", name: "Northwind" });
    keys.otherTenants = await keyFor("of-northwind", "northwind", scope.options);
    const without = new Map<Scope, string>();
    for (const [index, left] of scope.options.entries())
      without.set(
        left,
        await keyFor(
          `lacks-${index}`,
          TENANT,
          scope.options.filter((each) => each !== left),
        ),
      );
    keys.withoutIt = (needed) => without.get(needed)!;
    keys.limited = await keyFor("all-of-contoso", TENANT, scope.options);
  });

  it("are all known, and only those of agents and health ask for none", async () => {
    assert.ok(guardedRoutes().length >= 20, `${guardedRoutes().length} routes were found`);
    const open = routes.filter(({ name }) => OPEN.includes(name)).map(({ name }) => name);
    assert.deepEqual(open.sort(), [...OPEN]);
  });

  it("are needed by every other route: without one it is api.unauthenticated", async () => {
    for (const route of guardedRoutes())
      for (const wrong of [undefined, "Bearer ", `Bearer sp_admin_${"A".repeat(43)}`, "Basic YTpi"]) {
        const { status, body } = await ask(route, wrong);
        assert.equal(status, 401, `${route.name}: ${body}`);
        assertProblem(JSON.parse(body), "api.unauthenticated", /no such API key/);
      }
  });

  it("of another tenant with every scope are refused by each of them with api.forbidden", async () => {
    for (const route of guardedRoutes()) {
      const { status, body } = await ask(route, keys.otherTenants);
      assert.equal(status, 403, `${route.name}: ${body}`);
      assertProblem(
        JSON.parse(body),
        "api.forbidden",
        route.route.includes("{tenant}") ? /for tenant contoso/ : /scope/,
      );
    }
  });

  it("that lack just the one scope that a route needs are refused too, before the body is read", async () => {
    for (const route of guardedRoutes()) {
      const refused = JSON.parse((await ask(route, keys.otherTenants)).body) as { facts: { scope: Scope } };
      const { status, body } = await ask(route, keys.withoutIt(refused.facts.scope));
      assert.equal(status, 403, `${route.name}: ${body}`);
      assertProblem(JSON.parse(body), "api.forbidden", new RegExp(refused.facts.scope));
    }
  });

  it("of the tenant with every scope get past the check, and no further than its own addresses", async () => {
    for (const route of guardedRoutes()) {
      const { status, body } = await ask(route, keys.limited);
      const ofTenant = route.route.includes("{tenant}");
      assert.equal(status === 403, !ofTenant, `${route.name}: ${body}`);
      assert.notEqual(status, 401, route.name);
      assert.ok(status < 500, `${route.name}: ${body}`);
    }
  });

  it("open no route that agents sign for", async () => {
    for (const route of routes.filter(({ name }) => name.startsWith("agent-"))) {
      const { status, body } = await ask(route, keys.limited);
      const { code } = JSON.parse(body) as { code: string };
      const refusal = route.name === "agent-enrol" ? "api.invalid" : "agent.unknown";
      assert.deepEqual([status, code], [ERRORS[refusal].http, refusal], `${route.name}: ${body}`);
    }
  });
}
