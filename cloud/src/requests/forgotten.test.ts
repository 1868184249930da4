/** Requests that nobody works on and no bell rings for. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ringForgotten, tryToRing } from "./forgotten.ts";
import { goOn } from "./go-on.ts";
import { makeRequest } from "./make.ts";
import { by, call, DONE, idOf, read, refusal, rig, slow, stateOf } from "./test-rig.ts";

const bellsFor = (rung: readonly { readonly request: string }[], id: string) =>
  rung.filter(({ request }) => request === id).length;

test("one whose bell is gone is rung for a minute after it was due, and not again for five", async () => {
  const id = idOf(await makeRequest(rig(async () => DONE).deps, by, read()));
  const later = rig(async () => DONE);
  for (const [seconds, bells] of [
    [59, 0],
    [2, 1],
    [60, 1],
    [241, 2],
  ] as const) {
    later.pass(seconds);
    await ringForgotten(later.deps);
    assert.equal(bellsFor(later.rung, id), bells, `after ${seconds} s more`);
  }
  await goOn(later.deps, { tenant: "acme", request: id });
  later.pass(600);
  await ringForgotten(later.deps);
  assert.deepEqual([bellsFor(later.rung, id), ...(await stateOf(later.deps, id))], [2, "succeeded", null]);
});

test("one that waits for its agent has a bell of its own, and is left alone", async () => {
  const away = rig(async () => refusal("agent.offline"));
  const id = idOf(await makeRequest(away.deps, by, { ...call, waitSeconds: 30 }));
  away.pass(69);
  const before = bellsFor(away.rung, id);
  await ringForgotten(away.deps);
  assert.equal(bellsFor(away.rung, id), before);
});

test("one whose process died in its call ends, and says what is known of it", async () => {
  const dead = slow();
  const first = rig(dead.open);
  const requests = [read({ waitSeconds: 30 }), { ...call, waitSeconds: 30 }];
  const dying = requests.map((request) => makeRequest(first.deps, by, request));
  while (dead.sessions() < 2) await new Promise((done) => setImmediate(done));
  const later = rig(() => assert.fail("asked again"));
  later.pass(61);
  await ringForgotten(later.deps);
  for (const bell of later.rung) await goOn(later.deps, bell);
  const bells = new Set(later.rung.map(({ request }) => request));
  dead.end(DONE);
  const ids = (await Promise.all(dying)).map(idOf);
  assert.deepEqual(await stateOf(later.deps, ids[0]!), ["failed", "api.internal"]);
  assert.deepEqual(await stateOf(later.deps, ids[1]!), ["failed", "write.outcome_unknown"]);
  assert.ok(ids.every((id) => bells.has(id)));
});

test("a schedule goes on where nobody can be rung for, and says so", async () => {
  await makeRequest(rig(async () => DONE).deps, by, read());
  const said: string[] = [];
  const log = (what: string) => void said.push(what);
  const silent = rig(async () => DONE, { log, ring: () => Promise.reject(new Error("no queue")) });
  const later = rig(async () => DONE, { log });
  for (const { pass } of [silent, later]) pass(61);
  assert.equal(await tryToRing(silent.deps), null);
  assert.deepEqual(said.splice(0), ["forgotten requests not rung for"]);
  assert.deepEqual([await tryToRing(later.deps), said], [later.rung.length, []]);
  assert.ok(later.rung.length > 0);
});

test("one that was forgotten for longer than it is waited for does not begin any more", async () => {
  const ids = await Promise.all(
    [read(), call].map(async (request) => idOf(await makeRequest(rig(async () => DONE).deps, by, request))),
  );
  const later = rig(() => assert.fail("asked"));
  later.pass(901);
  await ringForgotten(later.deps);
  for (const request of ids) {
    assert.equal(bellsFor(later.rung, request), 1);
    await goOn(later.deps, { tenant: "acme", request });
    assert.deepEqual(await stateOf(later.deps, request), ["failed", "api.internal"]);
  }
});
