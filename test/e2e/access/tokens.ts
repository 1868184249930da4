/** Tokens of an OpenID provider, through the whole function app: roles become scopes. */
import assert from "node:assert/strict";
import { it } from "node:test";
import type { Entra } from "../../emulators/entra/start.ts";
import { type Stack, TENANT } from "../../stack/start.ts";
import { type Ask, asking, post } from "./calls.ts";

export function tokens(stack: () => Stack, admin: () => Ask, entra: () => Entra): void {
  it("a token may do what its app roles say, for all tenants or for one", async () => {
    const token = await entra().token({ roles: ["pulls:read", `${TENANT}/sites:write`, "another-system.Role"] });
    const ask = asking(stack(), token);
    assert.equal((await ask(`/tenants/${TENANT}/pulls`)).status, 200);
    assert.equal((await ask("/tenants/northwind/pulls")).status, 200);
    assert.equal((await ask(`/tenants/${TENANT}/sites`, post({ id: "of-token", name: "T" }))).status, 200);
    assert.equal((await ask("/tenants/northwind/sites", post({ id: "of-token", name: "T" }))).status, 403);
    assert.equal((await ask("/keys")).status, 403);
    const { json } = await admin()(`/tenants/${TENANT}/audit?limit=1`);
    const [last] = json as unknown as Record<string, unknown>[];
    assert.deepEqual([last?.who, last?.what], ["app:aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", "sites-add"]);
  });
  it("one for another audience opens nothing", async () => {
    const ask = asking(stack(), await entra().token({ roles: ["pulls:read"], claims: { aud: "another" } }));
    const { status, json } = await ask(`/tenants/${TENANT}/pulls`);
    assert.deepEqual([status, json.code], [401, "api.unauthenticated"]);
  });
}
