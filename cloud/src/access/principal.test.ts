import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Restriction, Scope } from "@sallyport/shared/schema/api.ts";
import { authorize, type Grant, type Principal, permits, requireConnections, requirePermitted } from "./principal.ts";

const grant = (tenant: string | null, ...scopes: Scope[]): Grant => ({ tenant, scopes: new Set(scopes) });
const principal = (grants: readonly Grant[], only: Restriction | null = null): Principal => ({
  ...{ id: "k", caller: "key:k", expiresAt: null },
  grants,
  only,
});

describe("what a caller may do", () => {
  const forbidden = { code: "api.forbidden", detail: { scope: "runs:read" } };
  it("needs the scope", () => {
    authorize(principal([grant("contoso", "runs:read")]), "runs:read", "contoso");
    for (const grants of [[grant("contoso", "runs:start")], [grant("contoso")], []])
      assert.throws(() => authorize(principal(grants), "runs:read", "contoso"), forbidden);
    assert.throws(() => authorize(principal([grant(null)]), "runs:read", null), forbidden);
  });
  it("is for its own tenant; what is above tenants is for callers bound to none", () => {
    const own = principal([grant("contoso", "runs:read")]);
    for (const tenant of ["fabrikam", "", null])
      assert.throws(() => authorize(own, "runs:read", tenant), forbidden, String(tenant));
    authorize(principal([grant(null, "runs:read")]), "runs:read", "fabrikam");
    authorize(principal([grant(null, "runs:read")]), "runs:read", null);
  });
  it("is not put together from grants for different tenants", () => {
    const both = principal([grant("contoso", "runs:read"), grant("fabrikam", "runs:start")]);
    authorize(both, "runs:read", "contoso");
    authorize(both, "runs:start", "fabrikam");
    assert.throws(() => authorize(both, "runs:read", "fabrikam"), forbidden);
    assert.throws(() => authorize(both, "runs:start", "contoso"), { code: "api.forbidden" });
  });
});

describe("a restriction", () => {
  it("lets through what is in each of its lists, and nothing that cannot be told to be", () => {
    const pull = { pull: "orders", connection: "erp", site: "oslo" };
    for (const only of [null, {}, { sites: ["oslo"] }, { connections: ["erp"], pulls: ["orders", "x"] }])
      assert.equal(permits(only, pull), true, JSON.stringify(only));
    for (const only of [{ sites: ["bergen"] }, { connections: ["erp"], pulls: ["x"] }, { pulls: ["Orders"] }])
      assert.equal(permits(only, pull), false, JSON.stringify(only));
    // A site is no pull: what is not known is outside.
    assert.equal(permits({ pulls: ["orders"] }, { site: "oslo" }), false);
    assert.equal(permits({ sites: ["oslo"] }, {}), false);
  });
  it("to pulls alone chooses no connection for them", () => {
    for (const only of [null, {}, { connections: ["erp"] }, { pulls: ["orders"], sites: ["oslo"] }])
      assert.doesNotThrow(() => requireConnections(principal([], only)), JSON.stringify(only));
    for (const connections of [["erp"], []])
      assert.doesNotThrow(() => requireConnections(principal([], { pulls: ["orders"], connections })));
    assert.throws(() => requireConnections(principal([], { pulls: ["orders"] })), {
      code: "api.restricted",
      detail: { only: ["pulls"] },
    });
  });
  it("is told by its kind, not by its contents", () => {
    const key = principal([grant("contoso", "runs:read")], { sites: ["oslo"], pulls: ["orders"] });
    assert.throws(() => requirePermitted(key, { site: "bergen" }), {
      code: "api.restricted",
      detail: { only: ["sites", "pulls"] },
    });
  });
});
