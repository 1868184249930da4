import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
// biome-ignore lint/correctness/noUndeclaredDependencies: the transport of the table client; product code needs none of it.
import { createDefaultHttpClient, type HttpClient } from "@azure/core-rest-pipeline";
import { touch } from "./keyed.ts";
import { createTables, openStore } from "./open.ts";
import { type Change, commit, range, read, removeUnchanged } from "./tables.ts";
import { testAzurite } from "./test-azurite.ts";

const azurite = await testAzurite();
await createTables((name) => azurite.connectTable(name));
await createTables((name) => azurite.connectTable(name));
const store = openStore((name) => azurite.connectTable(name), randomBytes);
const table = azurite.connectTable("runs");
const insert = (row: string, properties: Change extends never ? never : Record<string, string> = {}): Change => ({
  do: "insert",
  row,
  properties,
});
const now = "2026-01-02T03:04:05.000Z";

test("a transaction is applied whole or not at all, and says why not", async () => {
  const first = await commit(table, "p|1", [insert("a", { x: "1" }), insert("b")]);
  assert.ok(first.ok);
  const [etagA, etagB] = first.etags as [string, string];
  assert.notEqual(etagA, undefined);
  const replace = (row: string, etag: string, x: string): Change => ({
    do: "replace",
    row,
    etag,
    properties: { x },
  });
  assert.deepEqual(await commit(table, "p|1", [insert("c"), insert("a")]), { ok: false, refused: 409 });
  assert.equal(await read(table, "p|1", "c"), undefined);
  const second = await commit(table, "p|1", [insert("d"), replace("a", etagA, "2")]);
  assert.ok(second.ok);
  assert.equal((await read(table, "p|1", "a"))?.etag, second.etags[1]);
  assert.deepEqual(await commit(table, "p|1", [insert("c"), replace("a", etagA, "3")]), { ok: false, refused: 412 });
  const gone: Change[] = [replace("b", etagB, "1"), { do: "remove", row: "nothing" }];
  assert.deepEqual(await commit(table, "p|1", gone), { ok: false, refused: 404 });
  assert.equal((await read(table, "p|1", "b"))?.etag, etagB);
  assert.ok((await commit(table, "p|1", [replace("b", etagB, "1"), { do: "remove", row: "d" }])).ok);
  assert.equal(await read(table, "p|1", "d"), undefined);
});

test("a replaced entity keeps nothing of the old one, and a read has both of the service's times", async () => {
  await commit(table, "p|2", [insert("a", { x: "1", y: "2" })]);
  const before = await read(table, "p|2", "a");
  await commit(table, "p|2", [{ do: "replace", row: "a", etag: before!.etag, properties: { x: "3" } }]);
  const after = await read(table, "p|2", "a");
  assert.deepEqual(after!.properties, { x: "3" });
  assert.ok(Math.abs(after!.readAtMs - after!.timestampMs) < 60_000);
});

test("a range without an end goes to the last key of its partition, and asks with signs of ASCII only", async () => {
  const asked: string[] = [];
  const inner = createDefaultHttpClient();
  const httpClient: HttpClient = {
    sendRequest: (request) => {
      asked.push(decodeURIComponent(request.url));
      return inner.sendRequest(request);
    },
  };
  const changes = ["a", "b|1", "b}", "~", "ÿ"].map((row) => insert(row));
  await commit(table, "p|5", changes);
  await commit(table, "p|6", changes);
  const seen = azurite.connectTable("runs", { httpClient });
  const rows = await Array.fromAsync(range(seen, "p|5", "b", undefined));
  assert.deepEqual(
    rows.map(({ partition, row }) => `${partition} ${row}`),
    ["p|5 b|1", "p|5 b}", "p|5 ~", "p|5 ÿ"],
  );
  const listing = openStore((name) => azurite.connectTable(name, { httpClient }), randomBytes);
  await listing.sites.list("nobody");
  await listing.sites.page("nobody", { most: 1 });
  await listing.events.forget("nobody", 0, 1);
  await listing.lanes.clear({ tenant: "nobody", webhook: "hook", lane: "pulls.orders" }, 1);
  assert.equal(asked.length, 5);
  for (const url of asked) assert.match(url, /^[ -~]+$/);
});

test("a range is in order, and excludes its end; a delete needs the entity unchanged", async () => {
  await commit(
    table,
    "p|3",
    ["c", "a", "b", "d"].map((row) => insert(row)),
  );
  const rows = await Array.fromAsync(range(table, "p|3", "a", "d"));
  assert.deepEqual(
    rows.map(({ row }) => row),
    ["a", "b", "c"],
  );
  await commit(table, "p|3", [{ do: "replace", row: "a", etag: rows[0]!.etag, properties: {} }]);
  assert.equal(await removeUnchanged(table, rows[0]!), false);
  assert.equal(await removeUnchanged(table, rows[1]!), true);
  assert.equal(await removeUnchanged(table, rows[1]!), false);
});

test("what Azure would refuse is refused before it is sent", async () => {
  const refuses = (changes: Change[], partition = "p|4") =>
    assert.rejects(commit(table, partition, changes), RangeError);
  await refuses([]);
  await refuses(Array.from({ length: 101 }, (_, index) => insert(String(index))));
  await refuses([insert("a"), { do: "remove", row: "a" }]);
  await refuses([{ do: "remove", row: "a" }]);
  await refuses([{ do: "replace", row: "a", properties: {}, etag: "*" }]);
  await refuses([{ do: "replace", row: "a", properties: {}, etag: "" }]);
  await refuses([insert("a", { x: "x".repeat(32_769) })]);
  await refuses([insert("a", Object.fromEntries(Array.from({ length: 253 }, (_, index) => [`p${index}`, "x"])))]);
  const large = Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`p${index}`, "x".repeat(32_000)]));
  await refuses([insert("a", large)]);
  const half = Object.fromEntries(Array.from({ length: 15 }, (_, index) => [`p${index}`, "x".repeat(32_000)]));
  await refuses(Array.from({ length: 9 }, (_, index) => insert(String(index), half)));
  await refuses([insert("a/b")]);
  await refuses([insert("a")], "p#");
  assert.equal((await Array.fromAsync(range(table, "p|4", "", "~"))).length, 0);
  assert.ok((await commit(table, "p|4", [insert("a", { x: "x".repeat(32_768) })])).ok);
});

test("an agent is found by its id alone, and of two changes one wins", async () => {
  const id = "0".repeat(31);
  const agent = {
    tenant: "acme",
    site: "plant",
    status: "pending" as const,
    identity: { kty: "OKP", crv: "Ed25519", x: "AA" },
    kid: "k".repeat(43),
    unseal: "AA",
    hybridConnection: "acme-plant-1",
    host: "SRV1",
    version: "0.1.0",
    codeId: "ABCDEFGH",
    enrolledAt: now,
    revokedAt: null,
    seenAt: null,
    journal: null,
    policy: null,
    locked: false,
    draining: false,
    drainedAt: null,
    reachedAt: null,
    canaryAt: null,
    maxSessions: null,
    canary: null,
    canaryCode: null,
    updates: null,
    versionAt: null,
    journalAlert: null,
    ...{ previous: null, unsealStatement: null, unsealBy: null },
    ...{ retiredAt: null, origin: "https://orchestrator.test", relayHost: "contoso.servicebus.windows.net" },
  };
  assert.equal(await store.agents.insert(`${id}1`, agent), true);
  assert.equal(await store.agents.insert(`${id}1`, { ...agent, site: "other" }), false);
  await store.agents.insert(`${id}2`, { ...agent, site: "plant-2" });
  const found = await store.agents.find(`${id}1`);
  assert.deepEqual(found?.value, agent);
  assert.equal(await store.agents.find(`${id}3`), undefined);
  const active = await store.agents.update(found!, {
    ...agent,
    status: "active",
    journal: { seq: 7, hash: "h".repeat(43) },
  });
  assert.equal(await store.agents.update(found!, { ...agent, status: "revoked" }), undefined);
  assert.ok(await store.agents.update(active!, { ...active!.value, locked: true }));
  const listed = await store.agents.list("acme", "plant");
  assert.deepEqual(
    listed.map(({ row, value }) => [row.row, value.status, value.locked, value.journal?.seq]),
    [[`${id}1`, "active", true, 7]],
  );
});

test("a token's id is used once", async () => {
  const answers = await Promise.all(Array.from({ length: 5 }, () => store.jtis.use("agent", "a/b?c#", now)));
  assert.equal(answers.filter((answer) => answer).length, 1);
  assert.equal(await store.jtis.use("agent-2", "a/b?c#", now), true);
});

test("the other records come back as they were written", async () => {
  const tenant = { name: "Acme", createdAt: now, quotas: { pulls: 3 }, closedAt: null };
  await store.tenants.insert("acme", tenant);
  assert.equal(await store.tenants.insert("acme", { ...tenant, name: "Other" }), false);
  assert.deepEqual((await store.tenants.get("acme"))?.value, tenant);
  assert.deepEqual(
    (await store.tenants.list()).map(({ row, value }) => [row.row, value.name]),
    [["acme", "Acme"]],
  );
  await store.sites.insert("acme", "plant", { name: "Plant", createdAt: now });
  assert.equal((await store.sites.get("acme", "plant"))?.value.name, "Plant");
  assert.equal(await store.sites.get("acm", "plant"), undefined);
  const key = {
    sha256: "s".repeat(43),
    tenant: null,
    scopes: ["runs:read" as const],
    only: { sites: ["plant"] },
    previous: { sha256: "p".repeat(43), until: now },
    createdAt: now,
    createdBy: "admin",
    expiresAt: null,
    revokedAt: null,
    lastUsedAt: null,
  };
  await store.apiKeys.insert("k1", key);
  assert.deepEqual((await store.apiKeys.get("k1"))?.value, key);
  const code = {
    tenant: "acme",
    site: "plant",
    autoApprove: true,
    createdBy: "key:k1",
    createdAt: now,
    expiresAt: now,
    sealedKey: "AA",
    usedBy: null,
    agent: null,
    answer: null,
  };
  await store.codes.insert("ABCDEFGH", code);
  const stored = await store.codes.get("ABCDEFGH");
  const answer = { body: "AA", mac: "m".repeat(43) };
  await store.codes.update(stored!, { ...code, sealedKey: null, usedBy: "u".repeat(43), answer });
  const used = (await store.codes.get("ABCDEFGH"))?.value;
  assert.deepEqual([used?.sealedKey, used?.answer], [null, answer]);
});

test("a partition is read page by page, each beginning after the one before, and the last one says so", async () => {
  for (const site of ["a", "a-b", "ab", "b", "b0"]) {
    await store.sites.insert("paged", site, { name: site, createdAt: now });
  }
  const seen: string[][] = [];
  let after: string | undefined;
  do {
    const page = await store.sites.page("paged", { most: 2, after });
    seen.push(page.items.map(({ row }) => row.row));
    after = page.next;
  } while (after !== undefined);
  assert.deepEqual(seen, [["a", "a-b"], ["ab", "b"], ["b0"]]);
  assert.deepEqual(await store.sites.page("nobody", { most: 1 }), { items: [], next: undefined });
  const exact = await store.sites.page("paged", { most: 5 });
  assert.deepEqual([exact.items.length, exact.next], [5, undefined]);
});

test("an entity that is not what its schema says is an error, not a record", async () => {
  await commit(azurite.connectTable("sites"), "acme", [insert("broken", { name: "x" })]);
  await assert.rejects(store.sites.get("acme", "broken"), { name: "RecordError" });
});

test("a record that others change all the time is told as changed, which may be tried again", async () => {
  assert.ok(await store.sites.insert("acme", "busy", { name: "Busy", createdAt: now }));
  const { get, update } = store.sites;
  // Of each two writes the other's comes first.
  const meeting: typeof update = async (stored, value) => {
    await update(stored, value);
    return update(stored, value);
  };
  await assert.rejects(touch({ get, update: meeting }, "acme", "busy"), { code: "api.changed" });
  assert.notEqual((await touch(store.sites, "acme", "busy"))?.etag, undefined);
  assert.equal(await touch(store.sites, "acme", "nothing"), undefined);
});

test("wake entries are due by their time, whichever partition they are in", async () => {
  for (const [pull, seconds] of [
    ["late", 50],
    ["soon", 10],
    ["next", 20],
  ] as const) {
    await store.wake.insert({ tenant: "acme", pull }, seconds * 1000);
  }
  const due = await store.wake.due(20_000, 10);
  assert.deepEqual(
    due.map(({ pull, atMs }) => [pull, atMs]),
    [
      ["soon", 10_000],
      ["next", 20_000],
    ],
  );
  await store.wake.remove(due[0]!);
  await store.wake.remove(due[0]!);
  assert.equal((await store.wake.due(20_000, 10)).length, 1);
});
