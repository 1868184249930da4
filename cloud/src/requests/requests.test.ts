/** Requests by hand without an agent: what is left behind by processes that die, wait or are slow. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ErrorCode } from "@sallyport/shared/protocol/errors.ts";
import { newRequest } from "@sallyport/shared/schema/api-requests.ts";
import type { SessionOutcome } from "../sessions/session.ts";
import { checksOf } from "./connection-test.ts";
import { ringForgotten } from "./forgotten.ts";
import { goOn } from "./go-on.ts";
import { makeRequest } from "./make.ts";
import { suggestionFor } from "./suggest.ts";
import { sweepExpired } from "./sweep.ts";
import {
  askedBlobs,
  blobs,
  by,
  call,
  DONE,
  idOf,
  read,
  refusal,
  repeatable,
  rig,
  slow,
  stateOf,
  store,
} from "./test-rig.ts";
import { showRequest } from "./views.ts";

test("a request whose process died is gone on with once its lease is over, if a repeat changes nothing", async () => {
  const dead = slow();
  const first = rig(dead.open);
  const answer = await makeRequest(first.deps, by, read());
  assert.equal(answer.status, 202);
  const id = idOf(answer);
  // A call that does not wait has nothing run behind its answer.
  assert.deepEqual(
    [first.rung.map(({ request, atMs }) => [request, atMs - first.nowMs()]), dead.sessions()],
    [[[id, 0]], 0],
  );
  assert.match((await askedBlobs(id)).join(), /^asked-[0-9a-f]{8}[.]json$/);
  const dying = goOn(first.deps, { tenant: "acme", request: id });
  await dead.begun;
  let asked = 0;
  const second = rig(async () => {
    asked += 1;
    return DONE;
  });
  // The lease is alive: nobody rings for it, and a bell does nothing.
  await ringForgotten(second.deps);
  await goOn(second.deps, { tenant: "acme", request: id });
  assert.deepEqual([asked, second.rung, (await stateOf(second.deps, id))[0]], [0, [], "running"]);
  second.pass(61);
  await ringForgotten(second.deps);
  assert.ok(second.rung.some(({ request }) => request === id));
  await goOn(second.deps, { tenant: "acme", request: id });
  assert.deepEqual([asked, ...(await stateOf(second.deps, id))], [1, "succeeded", null]);
  // What was asked for is not kept longer than needed.
  assert.doesNotMatch((await askedBlobs(id)).join(), /asked/);
  // The one that seemed dead comes too late, and changes nothing.
  dead.end(refusal("sql.timeout"));
  await dying;
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
  const { asked } = (await store.requests.get("acme", id))!.value;
  const kept = await blobs.getBlobClient(asked!).downloadToBuffer();
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
  assert.doesNotMatch((await askedBlobs(id)).join(), /asked/);
});

test("one that may have changed something is not asked again: nobody knows how it ended", async () => {
  const dead = slow();
  const first = rig(dead.open);
  const id = idOf(await makeRequest(first.deps, by, call));
  const dying = goOn(first.deps, { tenant: "acme", request: id });
  await dead.begun;
  const later = rig(() => assert.fail("asked again"));
  later.pass(61);
  await goOn(later.deps, { tenant: "acme", request: id });
  assert.deepEqual(await stateOf(later.deps, id), ["failed", "write.outcome_unknown"]);
  assert.deepEqual(await askedBlobs(id), []);
  dead.end(DONE);
  await dying;
  assert.deepEqual(await stateOf(later.deps, id), ["failed", "write.outcome_unknown"]);
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
  const old = idOf(await makeRequest(deps, repeatable(), read({ waitSeconds: 30 })));
  const iso = (ms: number) => new Date(ms).toISOString();
  await store.jtis.use("agent", "old", iso(nowMs() + 1000));
  pass(3600);
  const young = idOf(await makeRequest(deps, repeatable(), read({ waitSeconds: 30 })));
  await store.jtis.use("agent", "young", iso(nowMs() + 90_000_000));
  pass(86_400 - 1800);
  assert.ok((await askedBlobs(old)).length > 0);
  assert.ok((await sweepExpired({ store, blobs, now: deps.now }, 0)) >= 2);
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
