/** Requests by hand without an agent: what is left behind by processes that die, wait or are slow. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import type { ErrorCode } from "@sallyport/shared/protocol/errors.ts";
import { newRequest } from "@sallyport/shared/schema/api-requests.ts";
import type { OpenSession, SessionOutcome } from "../sessions/session.ts";
import { connectionStore } from "../store/connections.ts";
import { jtiStore } from "../store/jtis.ts";
import { repeatStore } from "../store/repeats.ts";
import { requestStore } from "../store/requests.ts";
import { testAzurite } from "../store/test-azurite.ts";
import { checksOf } from "./connection-test.ts";
import { DEFAULT_REQUEST_SETTINGS, type RequestBell, type RequestDeps } from "./deps.ts";
import { goOn } from "./go-on.ts";
import { makeRequest } from "./make.ts";
import { suggestionFor } from "./suggest.ts";
import { sweepExpired } from "./sweep.ts";
import { showRequest } from "./views.ts";

const azurite = await testAzurite();
const tables = Object.fromEntries(
  await Promise.all(
    ["requests", "connections", "jtis", "repeats"].map(async (name) => {
      const table = azurite.connectTable(name);
      await table.createTable();
      return [name, table] as const;
    }),
  ),
);
const store = {
  requests: requestStore(tables.requests!),
  connections: connectionStore(tables.connections!),
  jtis: jtiStore(tables.jtis!),
  repeats: repeatStore(tables.repeats!),
};
const blobs = azurite.blobService.getContainerClient("sallyport");
await blobs.create();
await store.connections.insert("acme", "erp", {
  ...{ site: "plant", kind: "mssql", createdAt: new Date(0).toISOString() },
  ...{ credentialVersion: null, credentialAt: null },
});

const DONE: SessionOutcome = { ok: true, rows: 0, bytes: 0, batches: 0, position: null, complete: true, executedMs: 1 };
const refusal = (code: ErrorCode): SessionOutcome => ({ ok: false, code, message: "No.", detail: {} });

function rig(openSession: OpenSession) {
  let nowMs = Date.parse("2026-01-01T00:00:00Z");
  const rung: (RequestBell & { atMs: number })[] = [];
  const stopping = new AbortController();
  const deps: RequestDeps = {
    ...{ store, blobs, openSession, stopping: stopping.signal, settings: DEFAULT_REQUEST_SETTINGS },
    links: async (path) => `https://blobs.test/${path}`,
    ring: async (bell, atMs) => void rung.push({ ...bell, atMs }),
    now: () => new Date(nowMs),
    random: randomBytes,
    log: () => undefined,
  };
  return {
    deps,
    rung,
    stopping,
    pass: (seconds: number) => {
      nowMs += seconds * 1000;
    },
    nowMs: () => nowMs,
  };
}

const by = { tenant: "acme", caller: "key:k", repeatKey: null };
const read = (more: object = {}) =>
  newRequest.parse({ connection: "erp", operation: { op: "sql.schema" }, waitSeconds: 0, ...more });
const call = newRequest.parse({
  ...{ connection: "erp", waitSeconds: 0 },
  operation: { op: "sql.call", procedure: "dbo.Close", effect: "write" },
});
const idOf = (reply: { body: string }) => (JSON.parse(reply.body) as { id: string }).id;
const stateOf = async (deps: RequestDeps, id: string) => {
  const shown = JSON.parse((await showRequest(deps, "acme", id)).body) as { state: string; error: { code: string } };
  return [shown.state, shown.error?.code ?? null];
};
const askedBlobs = async (id: string) =>
  (await Array.fromAsync(blobs.listBlobsFlat({ prefix: `acme/requests/${id}/` }))).map(
    ({ name }) => name.split("/")[3],
  );

/** A session that ends when the test says so. */
function slow() {
  const { promise, resolve } = Promise.withResolvers<SessionOutcome>();
  let sessions = 0;
  const open: OpenSession = () => {
    sessions += 1;
    return promise;
  };
  return { open, end: resolve, sessions: () => sessions };
}

test("a request whose process died is gone on with once its lease is over, if a repeat changes nothing", async () => {
  const dead = slow();
  const first = rig(dead.open);
  const answer = await makeRequest(first.deps, by, read());
  assert.equal(answer.status, 202);
  const id = idOf(answer);
  assert.deepEqual(
    first.rung.map(({ request, atMs }) => [request, atMs - first.nowMs()]),
    [[id, 60_000]],
  );
  assert.deepEqual(await askedBlobs(id), ["asked.json"]);
  let asked = 0;
  const second = rig(async () => {
    asked += 1;
    return DONE;
  });
  // The lease is alive: the bell rings again later.
  await goOn(second.deps, { tenant: "acme", request: id });
  assert.deepEqual([asked, second.rung.length, (await stateOf(second.deps, id))[0]], [0, 1, "running"]);
  second.pass(61);
  await goOn(second.deps, { tenant: "acme", request: id });
  assert.deepEqual([asked, ...(await stateOf(second.deps, id))], [1, "succeeded", null]);
  // What was asked for is not kept longer than needed.
  assert.ok(!(await askedBlobs(id)).includes("asked.json"));
  // The one that seemed dead comes too late, and changes nothing.
  dead.end(refusal("sql.timeout"));
  await goOn(second.deps, { tenant: "acme", request: id });
  assert.deepEqual(await stateOf(second.deps, id), ["succeeded", null]);
});

test("what was asked for stands nowhere in clear while it waits, and cannot be read once it has ended", async () => {
  const away = rig(async () => refusal("agent.offline"));
  const asking = newRequest.parse({
    connection: "erp",
    operation: {
      ...{ op: "ad.write", action: "setPassword", class: "user" },
      ...{ object: "CN=Kari,DC=corp,DC=example", password: "Fjell-2026-Multer!" },
    },
  });
  const id = idOf(await makeRequest(away.deps, by, asking));
  const kept = await blobs.getBlobClient(`acme/requests/${id}/asked.json`).downloadToBuffer();
  assert.ok(!kept.includes("Multer"));
  const record = async () => JSON.stringify((await store.requests.get("acme", id))?.value);
  assert.ok(!(await record()).includes("Multer"));
  // Whoever goes on has it as it was.
  const passwords: unknown[] = [];
  const back = rig(async ({ operation }) => {
    passwords.push("password" in operation && operation.password);
    return DONE;
  });
  back.pass(61);
  await goOn(back.deps, { tenant: "acme", request: id });
  assert.deepEqual(passwords, ["Fjell-2026-Multer!"]);
  // Deleted blobs come back for two weeks; the key is gone for good.
  assert.equal((await store.requests.get("acme", id))?.value.askedKey, null);
  assert.ok(!(await askedBlobs(id)).includes("asked.json"));
});

test("one that may have changed something is not asked again: nobody knows how it ended", async () => {
  const dead = slow();
  const id = idOf(await makeRequest(rig(dead.open).deps, by, call));
  const later = rig(() => assert.fail("asked again"));
  later.pass(61);
  await goOn(later.deps, { tenant: "acme", request: id });
  assert.deepEqual(await stateOf(later.deps, id), ["failed", "write.outcome_unknown"]);
  assert.deepEqual(await askedBlobs(id), []);
  dead.end(DONE);
});

test("an agent that is away is asked again, a write too, for nothing was sealed; in the end it fails", async () => {
  const away = rig(async () => refusal("agent.busy"));
  const answer = await makeRequest(away.deps, by, { ...call, waitSeconds: 30 });
  const id = idOf(answer);
  assert.deepEqual([answer.status, ...(await stateOf(away.deps, id))], [202, "waiting", "agent.busy"]);
  assert.equal(away.rung[0]!.atMs - away.nowMs(), 10_000);
  away.pass(10);
  await goOn(away.deps, { tenant: "acme", request: id });
  assert.deepEqual([away.rung.length, ...(await stateOf(away.deps, id))], [2, "waiting", "agent.busy"]);
  away.pass(900);
  await goOn(away.deps, { tenant: "acme", request: id });
  assert.deepEqual([away.rung.length, ...(await stateOf(away.deps, id))], [2, "failed", "agent.busy"]);
});

test("a process that is stopped gives a read back, to be asked again at once", async () => {
  const stopped = rig((_request, _consumer, signal) => {
    const { promise, resolve } = Promise.withResolvers<SessionOutcome>();
    signal.addEventListener("abort", () => resolve(refusal("request.cancelled")), { once: true });
    // The process is told to stop while the session is open.
    stopped.stopping.abort();
    return promise;
  });
  const answer = await makeRequest(stopped.deps, by, { ...read(), waitSeconds: 30 });
  assert.deepEqual(
    [answer.status, ...(await stateOf(stopped.deps, idOf(answer)))],
    [202, "waiting", "request.cancelled"],
  );
  const next = rig(async () => DONE);
  await goOn(next.deps, { tenant: "acme", request: idOf(answer) });
  assert.deepEqual(await stateOf(next.deps, idOf(answer)), ["succeeded", null]);
});

test("what the agent answers with is JSON, or the request fails; a result too large is refused", async () => {
  for (const [bytes, code] of [
    [Buffer.from("{torn"), "storage.failed"],
    [Buffer.alloc(4 * 2 ** 20 + 1, " "), "limit.bytes"],
  ] as const) {
    const odd = rig(async (_request, consumer) => {
      await consumer.result?.(bytes);
      return DONE;
    });
    const answer = await makeRequest(odd.deps, by, read({ waitSeconds: 30 }));
    assert.deepEqual([answer.status, (JSON.parse(answer.body) as { error: { code: string } }).error.code], [200, code]);
  }
});

test("what has expired goes, with its blobs, and nothing else does", async () => {
  const { deps, pass, nowMs } = rig(async (_request, consumer) => {
    await consumer.result?.(Buffer.from("{}"));
    return DONE;
  });
  const keep = { ...by, repeatKey: "r" };
  const old = idOf(await makeRequest(deps, keep, read({ waitSeconds: 30 })));
  const iso = (ms: number) => new Date(ms).toISOString();
  await store.jtis.use("agent", "old", iso(nowMs() + 1000));
  pass(3600);
  const young = idOf(await makeRequest(deps, keep, read({ waitSeconds: 30 })));
  await store.jtis.use("agent", "young", iso(nowMs() + 90_000_000));
  pass(86_400 - 1800);
  assert.ok((await askedBlobs(old)).length > 0);
  assert.ok((await sweepExpired({ store, blobs, now: deps.now })) >= 2);
  assert.deepEqual(await askedBlobs(old), []);
  await assert.rejects(showRequest(deps, "acme", old), { code: "api.not_found" });
  assert.deepEqual(await stateOf(deps, young), ["succeeded", null]);
  assert.equal(await store.jtis.use("agent", "old", iso(nowMs())), true, "its row is gone");
  assert.equal(await store.jtis.use("agent", "young", iso(nowMs())), false);
});

test("a denial's lines are what `sallyport policy suggest` prints, and no write or raw SQL has any", () => {
  const denied = { code: "policy.denied", detail: {} } as const;
  assert.deepEqual(suggestionFor(denied, "erp", { op: "sql.changes", table: "dbo.Orders", columns: "*" })?.lines, [
    ...["- id: suggested-1", "  allow: [changes]", "  tables: [dbo.Orders]", '  columns: "*"'],
  ]);
  for (const [operation, why] of [
    [{ op: "sql.query", raw: "SELECT 1" }, /raw SQL/],
    [{ op: "sql.write", table: "dbo.T", columns: ["a"] }, /write/],
    [{ op: "sql.table", table: "sys.objects", columns: "*" }, /system table/],
  ] as const) {
    const suggestion = suggestionFor(denied, "erp", operation);
    assert.deepEqual(suggestion?.lines, []);
    assert.match(suggestion?.why ?? "", why);
  }
  const byRule = suggestionFor({ code: "policy.denied", detail: { rule: "never-hr" } }, "erp", {
    op: "sql.table",
    table: "hr.A",
  });
  assert.match(byRule?.why ?? "", /never-hr/);
  assert.equal(suggestionFor({ code: "sql.timeout", detail: {} }, "erp", { op: "sql.table" }), null);
});

test("a connection's test tells which check failed, and knows nothing of those after it", () => {
  const seen = (code: ErrorCode) =>
    checksOf(refusal(code))
      .map(({ state }) => state[0])
      .join("");
  assert.equal(
    checksOf(DONE)
      .map(({ state }) => state[0])
      .join(""),
    "ooooooo",
  );
  for (const [code, states] of [
    ["agent.offline", "fuuuuuu"],
    ["protocol.truncated", "fuuuuuu"],
    ["secrets.unavailable", "ofuuuuu"],
    ["policy.denied", "oofuuuu"],
    ["connection.unknown", "oofuuuu"],
    ["connection.unreachable", "ooofuuu"],
    ["connection.tls", "oooofuu"],
    ["connection.login_failed", "ooooofu"],
    ["sql.permission", "oooooof"],
  ] as const)
    assert.equal(seen(code), states, code);
});
