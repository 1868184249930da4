/** Calls of the API that may not or cannot be answered: none of them comes near the agent. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { it } from "node:test";
import type { RunView, Scope } from "@sallyport/shared/schema/api.ts";
import { CONNECTION, SITE, type Stack, TENANT } from "../../stack/start.ts";
import { assertProblem, assertRefused, rawCall, sessionLines } from "./refusals.ts";

const PULLS = `/tenants/${TENANT}/pulls`;
const definition = {
  connection: CONNECTION,
  operation: { op: "sql.table", table: "dbo.Small", columns: "*" },
};

export function badCalls(stack: () => Stack): void {
  let keys = 0;
  const keyFor = async (tenant: string, ...scopes: Scope[]) => {
    const made = await stack().api.post<{ key: string }>("/keys", { id: `key-${++keys}`, tenant, scopes });
    return stack().api.as(made.key);
  };
  const unreached = async (calls: () => Promise<void>) => {
    const before = sessionLines(stack()).length;
    await calls();
    assert.equal(sessionLines(stack()).length, before);
  };

  it("without a key, with a wrong one, or one that was revoked", () =>
    unreached(async () => {
      const { api } = stack();
      const body = JSON.stringify({ id: "x", definition });
      const none = await rawCall(stack(), `/v1${PULLS}`, body, { "content-type": "application/json" });
      assert.equal(none.status, 401);
      assertProblem(JSON.parse(none.body.toString()), "api.unauthenticated", /no such API key/);
      const wrong = `sp_key-1_${"A".repeat(43)}`;
      await assertRefused(api.as(wrong).get(PULLS), "api.unauthenticated", /no such API key/);
      const { id, key } = await api.post<{ id: string; key: string }>("/keys", {
        id: "short-lived",
        tenant: TENANT,
        scopes: ["pulls:read"],
      });
      assert.ok(await api.as(key).get(PULLS));
      await api.post(`/keys/${id}/revoke`, {});
      await assertRefused(api.as(key).get(PULLS), "api.unauthenticated", /no such API key/);
    }));

  it("with a key that lacks the scope, or is another tenant's", () =>
    unreached(async () => {
      const { api } = stack();
      const reader = await keyFor(TENANT, "pulls:read", "runs:read");
      assert.ok(await reader.get(PULLS));
      await assertRefused(reader.post(PULLS, { id: "x", definition }), "api.forbidden", /pulls:write/);
      await assertRefused(reader.post(`${PULLS}/small/runs`, {}), "api.forbidden", /runs:start/);
      await assertRefused(
        reader.post("/keys", { id: "x", tenant: null, scopes: ["keys:write"] }),
        "api.forbidden",
        /./,
      );
      await api.post("/tenants", { id: "fabrikam", name: "Fabrikam" });
      const other = await keyFor("fabrikam", "pulls:read", "runs:start", "runs:read", "data:read");
      await assertRefused(other.get(PULLS), "api.forbidden", /tenant contoso/);
      await assertRefused(other.post(`${PULLS}/small/runs`, {}), "api.forbidden", /runs:start/);
      const run = await stack().api.post<RunView>(`${PULLS}/nowhere/runs`, {});
      await assertRefused(other.get(`/tenants/${TENANT}/runs/${run.id}/parts`), "api.forbidden", /data:read/);
      // Under its own name the other tenant finds nothing of it.
      await assertRefused(other.get(`/tenants/fabrikam/runs/${run.id}`), "api.not_found", /no such run/);
      await api.post(`/tenants/${TENANT}/runs/${run.id}/cancel`, {});
    }));

  it("with a body that is no JSON, has a field too many, or is too large", () =>
    unreached(async () => {
      const { adminKey } = JSON.parse(readFileSync(stack().access, "utf8")) as { adminKey: string };
      const headers = { "content-type": "application/json", authorization: `Bearer ${adminKey}` };
      const torn = await rawCall(stack(), `/v1${PULLS}`, '{"id":"x",', headers);
      assertProblem(JSON.parse(torn.body.toString()), "api.invalid", /not JSON/);
      const { api } = stack();
      await assertRefused(api.post(PULLS, { id: "x", definition, colour: "red" }), "api.invalid", /does not fit/);
      await assertRefused(
        api.post(PULLS, { id: "x", definition: { ...definition, watermark: "sometimes" } }),
        "api.invalid",
        /does not fit/,
      );
      const large = await rawCall(stack(), `/v1${PULLS}`, JSON.stringify({ id: "x".repeat(300_000) }), headers);
      assert.equal(large.status, 413);
      assertProblem(JSON.parse(large.body.toString()), "api.too_large", /too large/);
      const pulls = await api.get<{ id: string }[]>(PULLS);
      assert.ok(!pulls.some(({ id }) => id === "x"));
    }));

  it("that name what does not exist", () =>
    unreached(async () => {
      const { api } = stack();
      const noConnection = { ...definition, connection: "nowhere-known" };
      await assertRefused(api.post(PULLS, { id: "x", definition: noConnection }), "api.invalid", /nowhere-known/);
      await assertRefused(api.post(`${PULLS}/unknown/runs`, {}), "api.not_found", /unknown/);
      await assertRefused(api.get(`${PULLS}/unknown/runs`), "api.not_found", /unknown/);
      for (const run of ["small.1234567890123-00000000", "no-run", "a'b"]) {
        await assertRefused(api.get(`/tenants/${TENANT}/runs/${encodeURIComponent(run)}`), "api.not_found", /run/);
      }
      await assertRefused(api.post(`/tenants/${TENANT}/sites/atlantis/codes`, {}), "api.not_found", /atlantis/);
      await assertRefused(api.post("/tenants/nobody/sites", { id: SITE, name: "x" }), "api.not_found", /nobody/);
      const connection = { id: "x", site: "atlantis", kind: "mssql" };
      await assertRefused(api.post(`/tenants/${TENANT}/connections`, connection), "api.not_found", /atlantis/);
      const credential = { user: "u", password: "a-password-nobody-repeats" };
      const put = api.put(`/tenants/${TENANT}/connections/unknown/credential`, credential);
      await assertRefused(put, "api.not_found", /unknown/);
      await assertRefused(api.post("/keys/unknown/revoke", {}), "api.not_found", /unknown/);
    }));
}
