/** What every client may count on: repeats, tags, pages, rates, and a record of each change. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { describeApi } from "@sallyport/cloud/src/access/openapi.ts";
import { CONNECTION, type Stack, TENANT } from "../../stack/start.ts";
import { type Answered, type Ask, asking, post, put } from "./calls.ts";

const PULLS = `/tenants/${TENANT}/pulls`;
const definition = {
  connection: CONNECTION,
  operation: { op: "sql.table", table: "dbo.Flights", columns: "*" },
};

export function apiManners(stack: () => Stack, admin: () => Ask): void {
  const keyFor = async (id: string, more: object): Promise<{ key: string; ask: Ask }> => {
    const { json } = await admin()("/keys", post({ id, tenant: TENANT, ...more }));
    const key = String(json.key);
    return { key, ask: asking(stack(), key) };
  };
  const codeOf = ({ status, json }: Answered) => [status, json.code];

  it("a call repeated under its Idempotency-Key is answered the same, and done once", async () => {
    const repeat = { "idempotency-key": "once-1" };
    const body = { id: "repeated", definition: { ...definition, paused: true } };
    const first = await admin()(PULLS, post(body, repeat));
    assert.deepEqual([first.status, first.json.created, first.headers.etag], [200, true, '"1"']);
    const again = await admin()(PULLS, post(body, repeat));
    assert.deepEqual([again.status, again.text, again.headers.etag], [200, first.text, '"1"']);
    assert.equal(again.headers["idempotency-replayed"], "true");
    // Without the key the same call says that nothing was made.
    assert.equal((await admin()(PULLS, post(body))).json.created, false);
    const [run, same] = await Promise.all(
      [0, 1].map(() => admin()(`${PULLS}/repeated/runs`, post({}, { "idempotency-key": "run-1" }))),
    );
    const runs = (await admin()(`${PULLS}/repeated/runs`)).json as unknown as { id: string }[];
    assert.equal(runs.length, 1);
    const ids = [run, same]
      .filter(({ status } = { status: 0 } as Answered) => status === 200)
      .map((one) => one?.json.id);
    assert.ok(ids.length >= 1 && ids.every((id) => id === runs[0]?.id));
    await admin()(`/tenants/${TENANT}/runs/${runs[0]?.id}/cancel`, post());
  });

  it("another body under a used key is api.repeat_differs; another caller's key is another key", async () => {
    const repeat = { "idempotency-key": "once-2" };
    assert.equal((await admin()(`/tenants/${TENANT}/sites`, post({ id: "turku", name: "Turku" }, repeat))).status, 200);
    const other = await admin()(`/tenants/${TENANT}/sites`, post({ id: "turku-2", name: "Turku" }, repeat));
    assert.deepEqual(codeOf(other), [422, "api.repeat_differs"]);
    const elsewhere = await admin()(`/tenants/${TENANT}/connections`, post({ id: "turku", name: "Turku" }, repeat));
    assert.deepEqual(codeOf(elsewhere), [400, "api.invalid"]);
    const { ask } = await keyFor("repeater", { scopes: ["sites:write"] });
    assert.equal((await ask(`/tenants/${TENANT}/sites`, post({ id: "turku-2", name: "Turku" }, repeat))).status, 200);
    const odd = await ask(`/tenants/${TENANT}/sites`, post({ id: "x", name: "X" }, { "idempotency-key": "a b" }));
    assert.deepEqual(codeOf(odd), [400, "api.invalid"]);
  });

  it("a call that failed leaves its key free, and a secret answer is not kept", async () => {
    const repeat = { "idempotency-key": "once-3" };
    const connection = { id: "later", site: "porvoo", kind: "mssql" };
    const path = `/tenants/${TENANT}/connections`;
    assert.deepEqual(codeOf(await admin()(path, post(connection, repeat))), [404, "api.not_found"]);
    await admin()(`/tenants/${TENANT}/sites`, post({ id: "porvoo", name: "Porvoo" }));
    assert.equal((await admin()(path, post(connection, repeat))).status, 200);
    const secret = { "idempotency-key": "once-4" };
    const key = { id: "shown-once", tenant: TENANT, scopes: ["runs:read"] };
    const made = await admin()("/keys", post(key, secret));
    assert.match(String(made.json.key), /^sp_shown-once_/);
    const again = await admin()("/keys", post(key, secret));
    assert.deepEqual(codeOf(again), [409, "api.repeat_secret"]);
    assert.doesNotMatch(again.text, /sp_shown/);
  });

  it("a pull changes only for whoever names what it is: If-Match, 412 otherwise", async () => {
    const path = `${PULLS}/tagged`;
    const made = await admin()(path, put({ definition }));
    assert.deepEqual([made.json.created, made.headers.etag], [true, '"1"']);
    assert.deepEqual(codeOf(await admin()(path, put({ definition: { ...definition, maxSeconds: 60 } }))), [
      409,
      "api.conflict",
    ]);
    const shown = await admin()(path);
    assert.equal(shown.headers.etag, '"1"');
    const changed = await admin()(path, put({ definition: { ...definition, maxSeconds: 60 } }, { "if-match": '"1"' }));
    assert.deepEqual([changed.status, changed.json.revision, changed.headers.etag], [200, 2, '"2"']);
    for (const stale of ['"1"', '"x"', "1", 'W/"2"'])
      assert.deepEqual(
        codeOf(await admin()(path, put({ definition: { ...definition, maxSeconds: 90 } }, { "if-match": stale }))),
        [412, "api.changed"],
        stale,
      );
    assert.deepEqual(codeOf(await admin()(`${path}/pause`, post(undefined, { "if-match": '"1"' }))), [
      412,
      "api.changed",
    ]);
    const paused = await admin()(`${path}/pause`, post(undefined, { "if-match": '"1", "2"' }));
    assert.deepEqual([paused.status, paused.headers.etag], [200, '"3"']);
  });

  it("a tenant changes by its tag, too", async () => {
    const path = `/tenants/${TENANT}`;
    const { headers } = await admin()(path);
    const change = { quotas: { pulls: 400 } };
    const changed = await admin()(path, put(change, { "if-match": headers.etag! }));
    assert.equal((changed.json.quotas as unknown as { pulls: number }).pulls, 400);
    assert.notEqual(changed.headers.etag, headers.etag);
    assert.deepEqual(codeOf(await admin()(path, put(change, { "if-match": headers.etag! }))), [412, "api.changed"]);
  });

  it("lists come in pages, each with where the next one is; the last one has none", async () => {
    await admin()("/tenants", post({ id: "many", name: "Many" }));
    const ids = Array.from({ length: 5 }, (_, index) => `site-${index}`);
    for (const id of ids) await admin()("/tenants/many/sites", post({ id, name: id }));
    const seen: string[][] = [];
    let path: string | undefined = "/tenants/many/sites?limit=2";
    while (path !== undefined) {
      const { json, headers } = await admin()(path);
      seen.push((json as unknown as { id: string }[]).map(({ id }) => id));
      path = /^<([^>]+)>; rel="next"$/.exec(headers.link ?? "")?.[1];
      assert.equal(path === undefined, seen.length === 3);
    }
    assert.deepEqual(seen, [ids.slice(0, 2), ids.slice(2, 4), ids.slice(4)]);
    const whole = await admin()("/tenants/many/sites");
    assert.equal(whole.headers.link, undefined);
    for (const wrong of ["limit=0", "limit=1001", "limit=x", "cursor=%00", "cursor=AAA"])
      assert.deepEqual(codeOf(await admin()(`/tenants/many/sites?${wrong}`)), [400, "api.invalid"], wrong);
  });

  it("a key that calls too often gets 429 and when to come again; others are not slowed down", async () => {
    const { ask } = await keyFor("eager", { scopes: ["runs:read"] });
    const other = await keyFor("patient", { scopes: ["runs:read"] });
    let refused: Answered | undefined;
    for (let calls = 0; refused === undefined; calls++) {
      assert.ok(calls < 5000, "nothing was refused");
      const answers = await Promise.all(Array.from({ length: 20 }, () => ask(`${PULLS}/nowhere/runs`)));
      refused = answers.find(({ status }) => status === 429);
    }
    assert.equal(refused.json.code, "api.too_many_calls");
    assert.ok(Number(refused.headers["retry-after"]) >= 1);
    assert.equal((await other.ask(`${PULLS}/nowhere/runs`)).status, 404);
  });

  it("each change is recorded with who, what and when, and never with what was in it", async () => {
    const mark = "a-password-nobody-repeats-4711";
    await admin()(`/tenants/${TENANT}/connections/later/credential`, put({ user: "u", password: mark }));
    await admin()(`/tenants/${TENANT}/connections/none/credential`, put({ user: "u", password: mark }));
    const { ask } = await keyFor("auditor", { scopes: ["audit:read"] });
    const { json, text } = await ask(`/tenants/${TENANT}/audit?limit=2`);
    const [refused, stored] = json as unknown as Record<string, unknown>[];
    assert.deepEqual(
      [stored, refused].map((one) => [one?.who, one?.what, one?.tenant, one?.on, one?.outcome]),
      [
        ["key:admin", "credentials-put", TENANT, { connection: "later" }, "done"],
        ["key:admin", "credentials-put", TENANT, { connection: "none" }, "api.not_found"],
      ],
    );
    assert.doesNotMatch(text, /4711/);
    const above = await admin()("/audit?limit=1");
    const [last] = above.json as unknown as Record<string, unknown>[];
    assert.deepEqual([last?.what, last?.tenant, last?.on], ["keys-add", null, { id: "auditor" }]);
    // Reading changes nothing, and is not recorded.
    const again = await ask(`/tenants/${TENANT}/audit?limit=2`);
    assert.equal(again.text, text);
    assert.equal((await ask("/audit")).status, 403);
  });

  it("the description is served to everybody, as the table makes it", async () => {
    const { status, json } = await asking(stack(), undefined)("/openapi.json");
    assert.equal(status, 200);
    assert.deepEqual(json, JSON.parse(JSON.stringify(describeApi())));
  });
}
