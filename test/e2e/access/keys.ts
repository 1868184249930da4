/** Keys over their lives, and keys that are restricted to a part of their tenant. */
import assert from "node:assert/strict";
import { before, it } from "node:test";
import { type Restriction, scope } from "@sallyport/shared/schema/api.ts";
import { CONNECTION, SITE, type Stack, TENANT } from "../../stack/start.ts";
import { type Answered, type Ask, asking, post } from "./calls.ts";

const AT = `/tenants/${TENANT}`;
const definition = (connection: string) => ({
  connection,
  operation: { op: "sql.table", table: "dbo.Flights", columns: "*" },
  paused: true,
});

export function keysAndRestrictions(stack: () => Stack, admin: () => Ask): void {
  let serial = 0;
  const keyOnly = async (only: Restriction | undefined): Promise<Ask> => {
    const id = `restricted-${++serial}`;
    const scopes = scope.options.filter((one) => one !== "tenants:write");
    const { json } = await admin()("/keys", post({ id, tenant: TENANT, scopes, ...(only ? { only } : {}) }));
    return asking(stack(), String(json.key));
  };
  const idsOf = ({ json }: Answered) => (json as unknown as { id: string }[]).map(({ id }) => id);
  const assertRestricted = ({ status, json }: Answered, what: string) =>
    assert.deepEqual([status, json.code], [403, "api.restricted"], what);

  before(async () => {
    await admin()(`${AT}/sites`, post({ id: "lund", name: "Lund" }));
    await admin()(`${AT}/connections`, post({ id: "crm", site: "lund", kind: "mssql" }));
    for (const [id, connection] of [
      ["of-erp", CONNECTION],
      ["of-crm", "crm"],
    ] as const)
      await admin()(`${AT}/pulls`, post({ id, definition: definition(connection) }));
  });

  it("a key for some sites sees and touches what is there, and nothing else", async () => {
    const ask = await keyOnly({ sites: ["lund"] });
    assert.deepEqual(idsOf(await ask(`${AT}/sites`)), ["lund"]);
    assert.deepEqual(idsOf(await ask(`${AT}/connections`)), ["crm"]);
    assert.deepEqual(idsOf(await ask(`${AT}/pulls`)), ["of-crm"]);
    assert.equal((await ask(`${AT}/sites/lund/agents`)).status, 200);
    assert.equal((await ask(`${AT}/pulls/of-crm/runs`)).status, 200);
    assertRestricted(await ask(`${AT}/sites/${SITE}/agents`), "agents");
    assertRestricted(await ask(`${AT}/sites/${SITE}/codes`, post({})), "codes");
    assertRestricted(await ask(`${AT}/pulls/of-erp`), "a pull");
    assertRestricted(await ask(`${AT}/pulls/nobody`), "a pull that is not there");
    assertRestricted(await ask(`${AT}/sites`, post({ id: "malmo", name: "Malmö" })), "a new site");
    assertRestricted(await ask(`${AT}/connections`, post({ id: "x", site: SITE, kind: "mssql" })), "a connection");
    assert.equal((await ask(`${AT}/connections`, post({ id: "x", site: "lund", kind: "mssql" }))).status, 200);
    for (const whole of [AT, `${AT}/export`, `${AT}/audit`]) assertRestricted(await ask(whole), whole);
    assertRestricted(await ask(`${AT}/offboard`, post({ confirm: TENANT })), "offboarding");
  });

  it("a key for some connections may define pulls of them, and take none over from others", async () => {
    const ask = await keyOnly({ connections: ["crm"] });
    assert.deepEqual(idsOf(await ask(`${AT}/sites`)), []);
    assert.equal((await ask(`${AT}/pulls`, post({ id: "mine", definition: definition("crm") }))).status, 200);
    assertRestricted(await ask(`${AT}/pulls`, post({ id: "not-mine", definition: definition(CONNECTION) })), "another");
    const taken = post({ id: "of-erp", definition: definition("crm"), revision: 1 });
    assertRestricted(await ask(`${AT}/pulls`, taken), "taking over");
    const moved = post({ id: "mine", definition: definition(CONNECTION), revision: 1 });
    assertRestricted(await ask(`${AT}/pulls`, moved), "moving away");
    const request = { connection: CONNECTION, operation: { op: "sql.schema" } };
    assertRestricted(await ask(`${AT}/requests`, post(request)), "a request");
    assertRestricted(await ask(`${AT}/connections/${CONNECTION}/test`, post()), "a test");
    assertRestricted(await ask(`${AT}/sites/lund/agents`), "its site");
  });

  it("a key for some pulls changes them, and never what they read from", async () => {
    const ask = await keyOnly({ pulls: ["of-crm", "not-there"] });
    const { headers } = await ask(`${AT}/pulls/of-crm`);
    const changed = { ...definition("crm"), retentionDays: 30 };
    const put = (body: object) => ({ ...post(body), method: "PUT", headers: { "if-match": String(headers.etag) } });
    assertRestricted(
      await ask(`${AT}/pulls/of-crm`, put({ definition: definition(CONNECTION) })),
      "another connection",
    );
    assertRestricted(await ask(`${AT}/pulls`, post({ id: "not-there", definition: definition("crm") })), "a new pull");
    assert.equal((await ask(`${AT}/pulls/of-crm`, put({ definition: changed }))).status, 200);
  });

  it("a key for some pulls runs them, and reads their runs only", async () => {
    const run = await admin()(`${AT}/pulls/of-crm/runs`, post());
    const theirs = await admin()(`${AT}/pulls/of-erp/runs`, post());
    const ask = await keyOnly({ pulls: ["of-crm"] });
    assert.equal((await ask(`${AT}/runs/${run.json.id}`)).status, 200);
    assertRestricted(await ask(`${AT}/runs/${theirs.json.id}`), "another's run");
    assertRestricted(await ask(`${AT}/runs/${theirs.json.id}/cancel`, post()), "cancelling it");
    assertRestricted(await ask(`${AT}/connections/crm/test`, post()), "a connection");
    for (const { json } of [run, theirs]) await admin()(`${AT}/runs/${json.id}/cancel`, post());
  });

  it("no restricted key makes keys, not even a platform's", async () => {
    const { json } = await admin()(
      "/keys",
      post({ id: "half", tenant: null, scopes: ["keys:write"], only: { pulls: ["x"] } }),
    );
    const ask = asking(stack(), String(json.key));
    assertRestricted(await ask("/keys", post({ id: "more", tenant: null, scopes: ["keys:write"] })), "a key");
  });

  it("a rotated key works with both secrets for a while; revoked, with none, at once", async () => {
    const { json } = await admin()("/keys", post({ id: "turning", tenant: TENANT, scopes: ["pulls:read"] }));
    const rotated = await admin()("/keys/turning/rotate", post({ overlapSeconds: 3600 }));
    const asks = [json.key, rotated.json.key].map((key) => asking(stack(), String(key)));
    for (const ask of asks) assert.equal((await ask(`${AT}/pulls`)).status, 200);
    const listed = (await admin()("/keys?limit=1000")).json as unknown as Record<string, unknown>[];
    const turning = listed.find(({ id }) => id === "turning");
    assert.ok(turning?.lastUsedAt && turning.overlapUntil === rotated.json.overlapUntil);
    assert.ok(!JSON.stringify(listed).includes("sha256"));
    await admin()("/keys/turning/revoke", post());
    for (const ask of asks) assert.equal((await ask(`${AT}/pulls`)).status, 401);
  });
}
