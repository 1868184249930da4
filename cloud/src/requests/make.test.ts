/** Requests by hand: where they run, what a repeat finds of one whose process died, and what a failing storage makes of them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { NewRequest } from "@sallyport/shared/schema/api-requests.ts";
import type { OpenSession, SessionOutcome } from "../sessions/session.ts";
import { ringForgotten } from "./forgotten.ts";
import { goOn } from "./go-on.ts";
import { makeRequest } from "./make.ts";
import {
  askedBlobs,
  by,
  call,
  change,
  DONE,
  faulty,
  idOf,
  read,
  refusal,
  repeatable,
  rig,
  slow,
  stateOf,
  store,
} from "./test-rig.ts";

const told = ({ status, body }: { readonly status: number; readonly body: string }) => {
  const { state, error, result } = JSON.parse(body) as {
    state: string;
    error: { code: string } | null;
    result?: object;
  };
  return { status, state, code: error?.code ?? null, result };
};

/** Answers with a result, and counts. */
function answering(): { readonly open: OpenSession; sessions(): number } {
  let sessions = 0;
  const open: OpenSession = async (_request, consumer) => {
    sessions += 1;
    await consumer.result?.(Buffer.from('{"closed":7}'));
    return DONE;
  };
  return { open, sessions: () => sessions };
}

test("what its call can wait for runs in the call; the rest in the queue, and the call has its answer all the same", async () => {
  const withSeconds = (request: NewRequest, waitSeconds: number, seconds?: number): NewRequest => ({
    ...{ ...request, waitSeconds },
    limits: seconds === undefined ? {} : { seconds },
  });
  for (const [request, place] of [
    [withSeconds(read(), 30), "call"],
    [withSeconds(read(), 5), "call"],
    [withSeconds(read(), 5, 5), "call"],
    [withSeconds(read(), 5, 6), "queue"],
    [withSeconds(read(), 30, 600), "queue"],
    // A change is not begun anew: its call waits to the end, or does not begin.
    [withSeconds(call, 30), "call"],
    [withSeconds(call, 29), "queue"],
    [withSeconds(call, 29, 29), "call"],
  ] as const) {
    const queue = answering();
    const worker = rig(queue.open);
    const here = answering();
    const answered: Promise<void>[] = [];
    const { deps } = rig(here.open, { ring: async (bell) => void answered.push(goOn(worker.deps, bell)) });
    const answer = await makeRequest(deps, by, request);
    await Promise.all(answered);
    assert.deepEqual(told(answer), { status: 200, state: "succeeded", code: null, result: { closed: 7 } });
    assert.deepEqual([here.sessions(), queue.sessions()], place === "call" ? [1, 0] : [0, 1], JSON.stringify(request));
  }
});

test("a read that takes longer than its call waits is stopped, and begun anew in the queue; nothing runs behind the answer", async () => {
  let isOver = false;
  const { deps, rung, nowMs } = rig((_request, _consumer, signal) => {
    const { promise, resolve } = Promise.withResolvers<SessionOutcome>();
    signal.addEventListener("abort", () => {
      isOver = true;
      resolve(refusal("request.cancelled"));
    });
    return promise;
  });
  const answer = await makeRequest(deps, by, read({ waitSeconds: 1 }));
  assert.deepEqual(told(answer), { status: 202, state: "waiting", code: null, result: undefined });
  assert.ok(isOver);
  assert.deepEqual(
    rung.map(({ atMs }) => atMs - nowMs()),
    [0],
  );
  const next = rig(async () => DONE);
  await goOn(next.deps, rung[0]!);
  assert.deepEqual(await stateOf(next.deps, idOf(answer)), ["succeeded", null]);
});

test("a process that died in the call: the repeat finds the same request, and no change is asked for twice", async () => {
  for (const [request, state, code] of [
    [change, "failed", "write.outcome_unknown"],
    [read({ waitSeconds: 30 }), "waiting", null],
  ] as const) {
    const caller = repeatable();
    const dead = slow();
    const dying = makeRequest(rig(dead.open).deps, caller, request);
    await dead.begun;
    const later = rig(() => assert.fail("asked again"));
    // Its lease is alive: the repeat is told to look again.
    assert.equal(told(await makeRequest(later.deps, caller, { ...request, waitSeconds: 0 })).state, "running");
    later.pass(301);
    const answer = await makeRequest(later.deps, caller, { ...request, waitSeconds: 0 });
    assert.deepEqual([idOf(answer), told(answer).state, told(answer).code], [caller.repeat, state, code]);
    dead.end(DONE);
    await dying;
    assert.deepEqual(await stateOf(later.deps, caller.repeat), [state, code]);
    if (state === "failed") continue;
    const next = rig(answering().open);
    await goOn(next.deps, later.rung[0]!);
    // And from now on each repeat has the result.
    assert.deepEqual(told(await makeRequest(later.deps, caller, request)).result, { closed: 7 });
  }
});

test("a change that was made is told as made, also where its result cannot be kept; a read is repeated", async () => {
  for (const [request, expected] of [
    [change, { status: 200, state: "succeeded", code: null, result: { closed: 7 } }],
    [read({ waitSeconds: 30 }), { status: 200, state: "failed", code: "storage.failed", result: undefined }],
  ] as const) {
    const { faults, ...parts } = faulty();
    faults.onWrite = ({ url }) => (/[0-9a-f]{16}[.]json/.test(url) ? "lose" : "send");
    const caller = repeatable();
    const { deps } = rig(answering().open, parts);
    assert.deepEqual(told(await makeRequest(deps, caller, request)), expected);
    assert.deepEqual(await stateOf(deps, caller.repeat), [expected.state, expected.code]);
  }
});

test("a change that was made and cannot be written down is answered so, and later nobody asks for it again", async () => {
  const { faults, ...parts } = faulty();
  const open: OpenSession = async () => {
    faults.onWrite = () => "lose";
    return DONE;
  };
  const answer = await makeRequest(rig(open, parts).deps, by, change);
  assert.equal(told(answer).state, "succeeded");
  const later = rig(() => assert.fail("asked again"));
  later.pass(61);
  await goOn(later.deps, { tenant: "acme", request: idOf(answer) });
  assert.deepEqual(await stateOf(later.deps, idOf(answer)), ["failed", "write.outcome_unknown"]);
});

test("an end whose answer was lost is an end", async () => {
  const { faults, ...parts } = faulty();
  let lost = 0;
  const open: OpenSession = async () => {
    faults.onWrite = () => (lost++ === 0 ? "lose reply" : "send");
    return DONE;
  };
  const answer = await makeRequest(rig(open, parts).deps, by, change);
  assert.deepEqual([told(answer).state, lost > 0], ["succeeded", true]);
  assert.deepEqual(await stateOf(rig(open).deps, idOf(answer)), ["succeeded", null]);
});

test("of an agent that is revoked in the middle of a change nobody knows what it has done", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const { deps } = rig((_request, consumer, signal) => {
    const { promise, resolve } = Promise.withResolvers<SessionOutcome>();
    signal.addEventListener("abort", () => resolve(refusal("write.outcome_unknown")));
    consumer.servedBy?.(async () => false);
    t.mock.timers.tick(10_000);
    return promise;
  });
  assert.equal(told(await makeRequest(deps, by, change)).code, "write.outcome_unknown");
});

test("what was done is answered without its link, where none can be made now", async () => {
  const caller = repeatable();
  const { deps } = rig(async () => DONE, { links: () => Promise.reject(new Error("no key")) });
  await makeRequest(deps, caller, change);
  const stored = (await store.requests.get("acme", caller.repeat))!;
  await store.requests.update(stored, { ...stored.value, rowsBlob: "acme/requests/rows.ndjson" });
  const answer = JSON.parse((await makeRequest(deps, caller, change)).body) as { state: string; link: object | null };
  assert.deepEqual([answer.state, answer.link], ["succeeded", null]);
});

test("what cannot be left for the queue is answered all the same, and found later", async () => {
  // Kept, but its bell was lost: it is rung for.
  const rings = rig(async () => DONE, { ring: () => Promise.reject(new Error("no queue")) });
  const silent = idOf(await makeRequest(rings.deps, by, call));
  // Not kept: nobody was asked anything, and nobody will be.
  const { faults, ...parts } = faulty();
  faults.onWrite = ({ url }) => (/asked-/.test(url) ? "lose" : "send");
  const lost = idOf(await makeRequest(rig(async () => DONE, parts).deps, by, call));
  const later = rig(async () => DONE);
  later.pass(61);
  await ringForgotten(later.deps);
  for (const bell of later.rung.filter(({ request }) => [silent, lost].includes(request))) await goOn(later.deps, bell);
  assert.deepEqual(await stateOf(later.deps, silent), ["succeeded", null]);
  assert.deepEqual(await stateOf(later.deps, lost), ["failed", "api.internal"]);
});

test("what was left for the queue is there, also where the storage's client sent each write twice", async () => {
  const { faults, ...parts } = faulty();
  const first = rig(async () => DONE, { ...parts, ring: () => Promise.reject(new Error("no queue")) });
  const caller = repeatable();
  faults.onWrite = () => "repeat";
  const { repeat: id } = caller;
  const kept = async () => {
    const asked = (await store.requests.get("acme", id))?.value.asked;
    assert.deepEqual(await askedBlobs(id), [asked?.split("/")[3]]);
    return asked;
  };
  // In the queue, then under its key once its bell is known to be lost.
  await makeRequest(first.deps, caller, call);
  const before = await kept();
  const later = rig(answering().open, parts);
  later.pass(61);
  await makeRequest(later.deps, caller, call);
  assert.notEqual(await kept(), before);
  assert.deepEqual(
    later.rung.map(({ request }) => request),
    [id],
  );
  await goOn(later.deps, later.rung[0]!);
  assert.deepEqual(await stateOf(later.deps, id), ["succeeded", null]);
});

test("what a request asks for stays until another copy of it has taken its place", async () => {
  const caller = repeatable();
  const silent = rig(async () => DONE, { ring: () => Promise.reject(new Error("no queue")) });
  await makeRequest(silent.deps, caller, read());
  const { faults, ...parts } = faulty();
  let changes = 0;
  // The claim is written, and what was to follow it is not.
  faults.onWrite = ({ url }) => (url.includes("$batch") && ++changes === 2 ? "lose" : "send");
  const again = rig(async () => DONE, parts);
  again.pass(61);
  await makeRequest(again.deps, caller, read());
  assert.deepEqual([changes, again.rung], [2, []]);
  const later = rig(async () => DONE);
  later.pass(122);
  await ringForgotten(later.deps);
  await goOn(later.deps, later.rung.find(({ request }) => request === caller.repeat)!);
  assert.deepEqual(await stateOf(later.deps, caller.repeat), ["succeeded", null]);
});

test("a tenant's ninth session at once waits in the queue, and so does what finds no place there", async () => {
  const held = slow();
  const { deps, rung, nowMs } = rig(held.open);
  const begun = Array.from({ length: 8 }, () => makeRequest(deps, by, change));
  while (held.sessions() < 8) await new Promise((done) => setImmediate(done));
  const ninth = await makeRequest(deps, by, read({ waitSeconds: 1 }));
  assert.deepEqual([told(ninth).state, held.sessions(), rung.length], ["waiting", 8, 1]);
  const places = [deps.places.queue.take("acme"), deps.places.queue.take("acme")];
  await goOn(deps, rung[0]!);
  assert.deepEqual([(await stateOf(deps, idOf(ninth)))[0], held.sessions(), rung.length], ["waiting", 8, 2]);
  const laterMs = rung[1]!.atMs - nowMs();
  assert.ok(laterMs >= 1_000 && laterMs < 3_000, String(laterMs));
  held.end(DONE);
  await Promise.all(begun);
  for (const leave of places) leave?.();
  await goOn(deps, rung[1]!);
  assert.deepEqual(await stateOf(deps, idOf(ninth)), ["succeeded", null]);
  assert.equal((await store.requests.get("acme", idOf(ninth)))?.value.asked, null);
});
