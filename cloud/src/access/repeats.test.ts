import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { test } from "node:test";
import { utf8 } from "@sallyport/shared/crypto/bytes.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { repeatStore } from "../store/repeats.ts";
import { testAzurite } from "../store/test-azurite.ts";
import { reply } from "./answer.ts";
import { type Keyed, once } from "./repeats.ts";

const table = (await testAzurite()).connectTable("repeats");
await table.createTable();
const repeats = repeatStore(table);
let nowMs = Date.parse("2026-01-01T00:00:00Z");
const deps = {
  store: { repeats },
  repeatKey: async () => Buffer.alloc(32, 7),
  now: () => new Date(nowMs),
  random: randomBytes,
};
const call = (key: string, over: Partial<Keyed> = {}): Keyed => ({
  ...{ caller: "key:k", key, what: "POST /a", body: utf8("{}"), secret: false },
  ...over,
});

test("of two calls at once under one key one is made; the other is told to wait, and later gets the same answer", async () => {
  const { promise: going, resolve: go } = Promise.withResolvers<void>();
  const { promise: began, resolve: begin } = Promise.withResolvers<void>();
  let made = 0;
  const first = once(deps, call("a"), async () => {
    begin();
    await going;
    made += 1;
    return reply({ made });
  });
  await began;
  await assert.rejects(
    once(deps, call("a"), async () => reply({})),
    { code: "api.repeat_running" },
  );
  go();
  const answer = await first;
  const again = await once(deps, call("a"), async () => assert.fail("made twice"));
  assert.deepEqual([again.status, again.body, made], [200, answer.body, 1]);
});

test("a first call that died is made again after five minutes, and a day later the key is free", async () => {
  const never = once(deps, call("dead"), () => new Promise(() => undefined));
  never.catch(() => undefined);
  while ((await repeats.list("key:k")).length < 2) await new Promise((done) => setTimeout(done, 5));
  nowMs += 5 * 60_000 - 1;
  await assert.rejects(
    once(deps, call("dead"), async () => reply({})),
    { code: "api.repeat_running" },
  );
  nowMs += 1;
  assert.equal((await once(deps, call("dead"), async () => reply({ by: "another" }))).body, '{"by":"another"}');
  nowMs += 86_400_000;
  assert.equal((await once(deps, call("dead"), async () => reply({ by: "a day later" }))).body, '{"by":"a day later"}');
});

test("a key is for one call only, and a refusal leaves it free", async () => {
  const refused = new SallyportError("api.conflict", "It exists.");
  await assert.rejects(
    once(deps, call("b"), async () => Promise.reject(refused)),
    { code: "api.conflict" },
  );
  await once(deps, call("b"), async () => reply({}));
  for (const other of [{ what: "POST /b" }, { body: utf8('{"a":1}') }])
    await assert.rejects(
      once(deps, call("b", other), async () => reply({})),
      { code: "api.repeat_differs" },
    );
  assert.equal((await once(deps, call("b", { caller: "key:other" }), async () => reply({ mine: true }))).status, 200);
});

test("a secret answer is not written down", async () => {
  await once(deps, call("s", { secret: true }), async () => reply({ key: "mark-4711" }));
  await assert.rejects(
    once(deps, call("s", { secret: true }), async () => reply({})),
    { code: "api.repeat_secret" },
  );
  assert.doesNotMatch(JSON.stringify((await repeats.list("key:k")).map(({ value }) => value)), /4711/);
});

test("who repeats the call of a process that died works under its id; when that fails too, the next one does", async () => {
  const ids: string[] = [];
  const die = once(deps, call("id"), (id) => {
    ids.push(id);
    return new Promise(() => undefined);
  });
  die.catch(() => undefined);
  while (ids.length === 0) await new Promise((done) => setTimeout(done, 5));
  nowMs += 5 * 60_000;
  // It may have been done: its key is no other call's.
  await assert.rejects(
    once(deps, call("id", { body: utf8('{"a":1}') }), async () => assert.fail("made")),
    { code: "api.repeat_differs" },
  );
  await assert.rejects(
    once(deps, call("id"), async (id) => {
      ids.push(id);
      throw new SallyportError("storage.failed", "No answer.");
    }),
    { code: "storage.failed" },
  );
  await once(deps, call("id"), async (id) => {
    ids.push(id);
    return reply({});
  });
  assert.match(ids[0]!, /^[0-9a-f]{32}$/);
  assert.deepEqual(new Set(ids).size, 1);
  // A day later the key is free, and the call another one.
  nowMs += 86_400_000;
  await once(deps, call("id"), async (id) => {
    ids.push(id);
    return reply({});
  });
  assert.equal(new Set(ids).size, 2);
});

test("what stands in the table of a body cannot be guessed without the key", async () => {
  const body = utf8('{"password":"winter2026"}');
  await once(deps, call("guess", { body }), async () => reply({}));
  const hash = createHash("sha256").update("POST /a").update(Buffer.of(0)).update(body).digest("base64url");
  const requests = (await repeats.list("key:k")).map(({ value }) => value.request);
  assert.ok(!requests.includes(hash));
  const other = { ...deps, repeatKey: async () => Buffer.alloc(32, 8) };
  await assert.rejects(
    once(other, call("guess", { body }), async () => reply({})),
    { code: "api.repeat_differs" },
  );
});

test("what was done is answered also where nobody can write that down", async () => {
  const broken = { ...repeats, update: () => Promise.reject(new Error("throttled")) };
  const answer = await once({ ...deps, store: { repeats: broken } }, call("unwritten"), async () => reply({ made: 1 }));
  assert.equal(answer.body, '{"made":1}');
});
