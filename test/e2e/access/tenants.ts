/** A tenant from its first quota to its end. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { offboarded, tenantExport } from "@sallyport/shared/schema/api-views.ts";
import type { Stack } from "../../stack/start.ts";
import { type Ask, asking, post, put } from "./calls.ts";

const AT = "/tenants/leaving";

export function tenantsToTheirEnd(stack: () => Stack, admin: () => Ask): void {
  it("a tenant makes no more than its quotas allow", async () => {
    await admin()("/tenants", post({ id: "leaving", name: "Leaving" }));
    assert.equal((await admin()(AT, put({ quotas: { sites: 1, pulls: 1, agents: 0 } }))).status, 200);
    assert.equal((await admin()(`${AT}/sites`, post({ id: "only", name: "Only" }))).status, 200);
    await admin()(`${AT}/connections`, post({ id: "db", site: "only", kind: "mssql" }));
    const definition = { connection: "db", operation: { op: "sql.table", table: "dbo.T", columns: "*" } };
    assert.equal((await admin()(`${AT}/pulls`, post({ id: "one", definition }))).status, 200);
    for (const [path, body, kind] of [
      ["sites", { id: "more", name: "More" }, "sites"],
      ["pulls", { id: "two", definition }, "pulls"],
      ["sites/only/codes", {}, "agents"],
    ] as const) {
      const { status, json } = await admin()(`${AT}/${path}`, post(body));
      assert.deepEqual([status, json.code, json.facts?.kind], [409, "api.quota", kind]);
    }
  });

  it("what is removed leaves its place to something else; If-Match holds for a removal, too", async () => {
    const definition = { connection: "db", operation: { op: "sql.table", table: "dbo.T", columns: "*" } };
    const stale = await admin()(`${AT}/pulls/one`, { method: "DELETE", headers: { "if-match": '"7"' } });
    assert.deepEqual([stale.status, stale.json.code], [412, "api.changed"]);
    for (const used of ["connections/db", "sites/only"]) {
      const { status, json } = await admin()(`${AT}/${used}`, { method: "DELETE" });
      assert.deepEqual([status, json.code], [409, "api.conflict"], used);
    }
    const gone = await admin()(`${AT}/pulls/one`, { method: "DELETE", headers: { "if-match": '"1"' } });
    assert.deepEqual([gone.status, gone.json.id], [200, "one"]);
    assert.equal((await admin()(`${AT}/pulls/one`)).status, 404);
    assert.equal((await admin()(`${AT}/pulls`, post({ id: "two", definition }))).status, 200);
    assert.equal((await admin()(`${AT}/pulls/two`, { method: "DELETE" })).status, 200);
    const again = await admin()(`${AT}/pulls`, post({ id: "one", definition }));
    assert.deepEqual([again.json.created, again.headers.etag], [true, '"2"']);
  });

  it("is exported whole, without a secret", async () => {
    const mark = "mark-of-a-password-815";
    await admin()(`${AT}/connections/db/credential`, put({ user: "u", password: mark }));
    const { json: key } = await admin()("/keys", post({ id: "leaver", tenant: "leaving", scopes: ["pulls:read"] }));
    const { status, json, text } = await admin()(`${AT}/export`);
    assert.equal(status, 200);
    const exported = tenantExport.parse(json);
    assert.deepEqual(
      [exported.tenant.id, exported.sites.map(({ id }) => id), exported.pulls.map(({ id }) => id)],
      ["leaving", ["only"], ["one"]],
    );
    assert.deepEqual(exported.connections, [{ id: "db", site: "only", kind: "mssql", hasCredential: true }]);
    assert.deepEqual(
      exported.keys.map(({ id }) => id),
      ["leaver"],
    );
    assert.doesNotMatch(text, new RegExp(`815|${String(key.key).slice(-43)}|sha256`, "i"));
  });

  it("is not ended by whoever may export it", async () => {
    const scopes = ["tenants:export"];
    const { json: key } = await admin()("/keys", post({ id: "exporter", tenant: "leaving", scopes }));
    const ask = asking(stack(), String(key.key));
    assert.equal((await ask(`${AT}/export`)).status, 200);
    const refused = await ask(`${AT}/offboard`, post({ confirm: "leaving" }));
    assert.deepEqual([refused.status, refused.json.code], [403, "api.forbidden"]);
    assert.equal((await admin()("/keys/exporter/revoke", post())).status, 200);
  });

  it("is ended for good: keys, pulls and credentials, and nothing new is made for it", async () => {
    const { json: key } = await admin()("/keys", post({ id: "leaver-2", tenant: "leaving", scopes: ["pulls:read"] }));
    const ask = asking(stack(), String(key.key));
    assert.equal((await ask(`${AT}/pulls`)).status, 200);
    const run = await admin()(`${AT}/pulls/one/runs`, post());
    const unsure = await admin()(`${AT}/offboard`, post({ confirm: "contoso" }));
    assert.deepEqual([unsure.status, unsure.json.code], [400, "api.invalid"]);
    const first = offboarded.parse(
      (await admin()(`${AT}/offboard`, post({ confirm: "leaving", deleteResults: true }))).json,
    );
    assert.deepEqual([first.keys, first.pulls, first.agents, first.credentials, first.done], [2, 1, 0, 1, true]);
    assert.equal((await ask(`${AT}/pulls`)).status, 401);
    assert.equal((await admin()(`${AT}/runs/${run.json.id}`)).json.state, "cancelled");
    const again = offboarded.parse((await admin()(`${AT}/offboard`, post({ confirm: "leaving" }))).json);
    assert.deepEqual([again.keys, again.pulls, again.credentials, again.closedAt], [0, 0, 0, first.closedAt]);
    const definition = { connection: "db", operation: { op: "sql.table", table: "dbo.T", columns: "*" } };
    for (const [path, body] of [
      [`${AT}/sites`, { id: "new", name: "New" }],
      [`${AT}/connections`, { id: "new", site: "only", kind: "mssql" }],
      [`${AT}/pulls`, { id: "new", definition }],
      [`${AT}/pulls/one/runs`, {}],
      [`${AT}/sites/only/codes`, {}],
      [`${AT}/requests`, { connection: "db", operation: { op: "sql.schema" } }],
      ["/keys", { id: "new-one", tenant: "leaving", scopes: ["pulls:read"] }],
    ] as const) {
      const { status, json } = await admin()(path, post(body));
      assert.deepEqual([status, json.code], [409, "api.closed"], path);
    }
    const exported = tenantExport.parse((await admin()(`${AT}/export`)).json);
    assert.equal(exported.connections[0]?.hasCredential, false);
    assert.equal(exported.tenant.closedAt, first.closedAt);
  });
}
