/** Requests by hand: small and large results, waiting, denials, writes, and the test of a connection. */
import assert from "node:assert/strict";
import { before, it } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { connectionTest, requestView } from "@sallyport/shared/schema/api-requests.ts";
import { call } from "../../stack/https.ts";
import { CONNECTION, READER, SITE, type Stack, TENANT } from "../../stack/start.ts";
import { type Answered, type Ask, asking, post, put } from "./calls.ts";
import { fillRequests, WIDE_ROWS, written } from "./sample.ts";

const AT = `/tenants/${TENANT}`;
const REQUESTS = `${AT}/requests`;
const table = (name: string, columns: "*" | string[] = "*") => ({ op: "sql.table", table: name, columns });

export function requestsByHand(stack: () => Stack, admin: () => Ask): void {
  const make = async (operation: object, more: object = {}): Promise<Answered> => {
    const answered = await admin()(REQUESTS, post({ connection: CONNECTION, operation, ...more }));
    assert.ok([200, 202].includes(answered.status), answered.text);
    requestView.parse(answered.json);
    return answered;
  };
  /** Asked again until it has ended. */
  const ended = async (id: unknown): Promise<Answered> => {
    for (;;) {
      const answered = await admin()(`${REQUESTS}/${id}`);
      requestView.parse(answered.json);
      if (answered.status === 200) return answered;
      assert.equal(answered.status, 202, answered.text);
      await pause(100);
    }
  };

  before(async () => {
    await fillRequests(stack().sqlServer.server);
    const { user, password } = stack().sqlServer.server;
    await admin()(`${AT}/connections`, post({ id: "writer", site: SITE, kind: "mssql" }));
    await admin()(`${AT}/connections/writer/credential`, put({ user, password }));
    for (const id of ["nowhere-to-be-found", "unnamed"]) {
      await admin()(`${AT}/connections`, post({ id, site: SITE, kind: "mssql" }));
      const { readerPassword } = stack().sqlServer;
      await admin()(`${AT}/connections/${id}/credential`, put({ user: READER, password: readerPassword }));
    }
  });

  it("a small result comes in the answer, every value exactly, and is not kept", async () => {
    const { status, json, text } = await make(table("dbo.Small"));
    assert.deepEqual([status, json.state, json.count, json.error, json.keptUntil], [200, "succeeded", 2, null, null]);
    assert.deepEqual(json.rows as unknown, [
      { Id: "2", Amount: null, At: null, Raw: null, Name: null },
      {
        Id: "9007199254740993",
        Amount: "12345678901234567890.0123456789",
        At: "2024-02-29T23:59:59.9999999",
        Raw: "AP8=",
        Name: 'line\nbreak, "quoted"',
      },
    ]);
    const columns = json.columns as unknown as { name: string; source: string }[];
    assert.deepEqual(columns[1], { name: "Amount", source: "decimal(38,10)" });
    const kept = await admin()(`${REQUESTS}/${json.id}`);
    assert.deepEqual([kept.json.state, kept.json.count, kept.json.rows], ["succeeded", 2, undefined]);
    assert.doesNotMatch(kept.text, /quoted/);
    assert.match(text, /quoted/);
  });

  it("under an Idempotency-Key it is kept, and asked for once", async () => {
    const body = post({ connection: CONNECTION, operation: table("dbo.Small") }, { "idempotency-key": "read-1" });
    const first = await admin()(REQUESTS, body);
    const again = await admin()(REQUESTS, body);
    assert.deepEqual([again.status, again.text], [200, first.text]);
    const kept = await admin()(`${REQUESTS}/${first.json.id}`);
    assert.deepEqual([kept.json.rows, kept.json.columns], [first.json.rows, first.json.columns]);
    assert.ok(kept.json.keptUntil);
  });

  it("what is over 1 MiB is linked, as NDJSON", async () => {
    const { json } = await make(table("dbo.Wide"));
    assert.deepEqual([json.state, json.count, json.rows], ["succeeded", WIDE_ROWS, undefined]);
    const { url } = json.link as unknown as { url: string };
    const content = url.startsWith("https:")
      ? (await call(url, { ca: stack().caPem })).body.toString("utf8")
      : await (await fetch(url)).text();
    const rows = content
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { Id: number });
    assert.deepEqual(
      rows.map(({ Id }) => Id),
      Array.from({ length: WIDE_ROWS }, (_, id) => id),
    );
    const kept = await admin()(`${REQUESTS}/${json.id}`);
    assert.ok((kept.json.link as unknown as { url: string }).url);
  });

  it("of sql.schema the answer has the result, as the policy shows it", async () => {
    const { json } = await make({ op: "sql.schema", table: "dbo.Small" });
    const result = json.result as unknown as { tables: { name: string }[] };
    assert.deepEqual(
      result.tables.map(({ name }) => name),
      ["Small"],
    );
  });

  it("a denied one has the lines that would have allowed it, or why there are none", async () => {
    const { json } = await make(table("dbo.Hidden", ["Id", "Salary"]));
    assert.deepEqual([json.state, (json.error as unknown as { code: string }).code], ["failed", "policy.denied"]);
    assert.deepEqual(json.suggestion as unknown, {
      connection: CONNECTION,
      lines: ["- id: suggested-1", "  allow: [table]", "  tables: [dbo.Hidden]", "  columns: [Id, Salary]"],
      why: null,
    });
    const raw = await make({ op: "sql.query", raw: "SELECT 1 AS One" });
    const { lines, why } = raw.json.suggestion as unknown as { lines: string[]; why: string };
    assert.deepEqual(lines, []);
    assert.match(why, /raw SQL/);
    // And so has a run.
    const definition = { connection: CONNECTION, operation: table("dbo.Hidden", ["Id"]), paused: true };
    await admin()(`${AT}/pulls`, post({ id: "denied", definition }));
    let run = (await admin()(`${AT}/pulls/denied/runs`, post())).json;
    while (run.endedAt === null) {
      await pause(100);
      run = (await admin()(`${AT}/runs/${run.id}`)).json;
    }
    assert.deepEqual((run.suggestion as unknown as { lines: string[] }).lines, [
      ...["- id: suggested-1", "  allow: [table]", "  tables: [dbo.Hidden]", "  columns: [Id]"],
    ]);
  });

  it("a write takes values as texts and base64, exactly, and under its key is done once", async () => {
    const operation = {
      op: "sql.write",
      table: "dbo.Written",
      action: "insert",
      columns: ["Id", "Amount", "Raw", "Name"],
    };
    const rows = [
      [1, "123456789012.3456", "AP8=", "Åse"],
      ["2", null, null, null],
    ];
    const body = { connection: "writer", operation, input: { rows, binary: ["Raw"] } };
    const repeat = { "idempotency-key": "write-1" };
    const first = await admin()(REQUESTS, post(body, repeat));
    assert.deepEqual([first.json.state, first.json.error], ["succeeded", null], first.text);
    assert.deepEqual((first.json.result as unknown as { inserted: number }).inserted, 2);
    assert.equal((await admin()(REQUESTS, post(body, repeat))).text, first.text);
    const there = await written(stack().sqlServer.server);
    assert.deepEqual(
      there.map(({ Id, Raw, Name }) => [Id, Raw === null ? null : Buffer.from(Raw as Buffer).toString("hex"), Name]),
      [
        [1, "00ff", "Åse"],
        [2, null, null],
      ],
    );
    for (const wrong of [
      { ...body, input: { rows: [[1]] } },
      { connection: "writer", operation },
      { ...body, input: { rows: [[3, null, "no base64!", null]], binary: ["Raw"] } },
      { ...body, operation: table("dbo.Small") },
    ]) {
      const { status, json } = await admin()(REQUESTS, post(wrong));
      assert.deepEqual([status, json.code], [400, "api.invalid"]);
    }
    assert.equal((await written(stack().sqlServer.server)).length, 2);
  });

  it("a write whose call may be over before it runs in the queue, and its call has the result all the same", async () => {
    const operation = { op: "sql.write", table: "dbo.Written", action: "insert", columns: ["Id", "Name"] };
    const input = { rows: [[4711, "by the queue"]] };
    const { status, json, text } = await make(operation, { connection: "writer", input, waitSeconds: 29 });
    assert.deepEqual([status, json.state, json.count, json.error], [200, "succeeded", 0, null], text);
    assert.deepEqual((json.result as unknown as { inserted: number }).inserted, 1);
    // What came by way of the record is kept with it.
    assert.ok(json.keptUntil);
    assert.equal((await written(stack().sqlServer.server)).filter(({ Id }) => Id === 4711).length, 1);
  });

  it("an agent that is away is waited for: 202 with where to look, and the result when it is back", async () => {
    await stack().agent.close();
    const { status, json, headers } = await make(table("dbo.Small"));
    assert.deepEqual(
      [status, json.state, (json.error as unknown as { code: string }).code],
      [202, "waiting", "agent.offline"],
    );
    assert.equal(headers.location, `/api/v1${REQUESTS}/${json.id}`);
    assert.ok(Number(headers["retry-after"]) > 0);
    assert.equal((await admin()(headers.location)).status, 202);
    await stack().addAgent("agent-2", undefined);
    const done = await ended(json.id);
    assert.deepEqual([done.json.state, done.json.count, done.json.error], ["succeeded", 2, null]);
    assert.equal((done.json.rows as unknown as unknown[]).length, 2);
  });

  it("a caller that does not want to wait gets 202, and the result is there soon after", async () => {
    const { json } = await make(table("dbo.Small"), { waitSeconds: 0 });
    const done = await ended(json.id);
    assert.deepEqual([done.json.state, (done.json.rows as unknown as unknown[]).length], ["succeeded", 2]);
  });

  it("a connection's test says at which of the agent's checks it ended", async () => {
    const test = async (id: string) => {
      const { status, json, text } = await admin()(`${AT}/connections/${id}/test`, post());
      assert.equal(status, 200, text);
      const tested = connectionTest.parse(json);
      const failed = tested.checks.find(({ state }) => state === "failed");
      return { ok: tested.ok, shown: tested.shown, check: failed?.check, code: failed?.error?.code };
    };
    const good = await test(CONNECTION);
    assert.deepEqual([good.ok, good.check], [true, undefined]);
    assert.ok(good.shown !== null && good.shown >= 2);
    assert.deepEqual(await test("nowhere-to-be-found"), {
      ...{ ok: false, shown: null, check: "network", code: "connection.unreachable" },
    });
    assert.deepEqual(await test("unnamed"), { ok: false, shown: null, check: "policy", code: "connection.unknown" });
    await admin()(`${AT}/connections`, post({ id: "bare", site: SITE, kind: "mssql" }));
    const bare = await test("bare");
    assert.deepEqual([bare.check, bare.code], ["credential", "secrets.unavailable"]);
    await admin()(`${AT}/connections/${CONNECTION}/credential`, put({ user: READER, password: "wrong" }));
    const wrong = await test(CONNECTION);
    assert.deepEqual([wrong.check, wrong.code], ["login", "connection.login_failed"]);
  });

  it("another tenant neither asks here nor reads what was answered", async () => {
    const { json: key } = await admin()(
      "/keys",
      post({ id: "asker", tenant: "northwind", scopes: ["requests:write"] }),
    );
    const ask = asking(stack(), String(key.key));
    const { json } = await make({ op: "sql.query", raw: "SELECT 1 AS One" });
    assert.equal((await ask(`${REQUESTS}/${json.id}`)).status, 403);
    assert.equal((await ask(`/tenants/northwind/requests/${json.id}`)).status, 404);
    const body = { connection: CONNECTION, operation: table("dbo.Small") };
    assert.equal((await ask("/tenants/northwind/requests", post(body))).status, 404);
  });
}
