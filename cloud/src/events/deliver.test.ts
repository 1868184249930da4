import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { after, beforeEach, describe, it } from "node:test";
import { testAzurite } from "../store/test-azurite.ts";
import { listDeadLetters, replay } from "./dead-letters.ts";
import { deliverLane } from "./deliver.ts";
import { startReceiver } from "./test-receiver.ts";
import { eventAbout, type TestProcess, testRig } from "./test-rig.ts";
import { addWebhook, endWebhooks, getWebhook, removeWebhook, rotateWebhook, testWebhook } from "./webhooks.ts";

const rig = await testRig(await testAzurite());
const receiver = await startReceiver();
after(() => receiver.close());
const never = new AbortController().signal;
const DAY_MS = 86_400_000;

const newWebhook = (process: TestProcess, tenant: string, id = "hook") =>
  addWebhook(process, tenant, { id, url: `https://hooks.example:${receiver.port}/` }, "key:test");
const idsOf = (pull: string, from: number, to: number) =>
  Array.from({ length: to - from + 1 }, (_, at) => `${pull}/${from + at}`);
const lane = (tenant: string, pull: string, webhook = "hook") => ({ tenant, webhook, lane: `pulls.${pull}` });
const inMinutes = (process: TestProcess, minutes: number) => process.now().getTime() + minutes * 60_000;

describe("deliveries", () => {
  beforeEach(() => {
    receiver.received.length = 0;
    receiver.taken.length = 0;
    receiver.answer = () => 200;
  });

  it("each event goes to each webhook that wants it, in order, signed", async () => {
    const process = rig.process();
    const tenant = await rig.tenant();
    const { secret } = await newWebhook(process, tenant);
    await addWebhook(
      process,
      tenant,
      { id: "failures", url: `https://hooks.example:${receiver.port}/`, types: ["sallyport.run.failed"] },
      "key:test",
    );
    for (const id of ["1", "2", "3"]) await process.emit(tenant, eventAbout(tenant, "orders", id));
    await rig.settle(process, inMinutes(process, 0));
    assert.deepEqual(receiver.taken, idsOf("orders", 1, 3));
    assert.deepEqual(process.published, idsOf("orders", 1, 3));
    for (const { headers, body } of receiver.received) {
      const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
      const key = Buffer.from(secret.slice("whsec_".length), "base64");
      const mac = createHmac("sha256", key).update(signed).digest("base64");
      assert.equal(headers["webhook-signature"], `v1,${mac}`);
    }
    const { items } = await process.store.events.page(tenant, { most: 10 });
    assert.deepEqual(
      items.map(({ id }) => id),
      idsOf("orders", 1, 3).reverse(),
    );
  });

  it("told twice, an event is sent once", async () => {
    const process = rig.process();
    const tenant = await rig.tenant();
    await newWebhook(process, tenant);
    const event = eventAbout(tenant, "orders", "1");
    await process.emit(tenant, event);
    await rig.settle(process, inMinutes(process, 0));
    await process.emit(tenant, event);
    await rig.settle(process, inMinutes(process, 5));
    assert.deepEqual(
      receiver.received.map(({ event: { id } }) => id),
      ["orders/1"],
    );
    assert.equal((await process.store.events.page(tenant, { most: 10 })).items.length, 1);
  });

  it("what failed is sent again with growing pauses, and what comes after it waits; other pulls do not", async () => {
    const process = rig.process();
    const tenant = await rig.tenant();
    await newWebhook(process, tenant);
    receiver.answer = ({ event }) => (event.subject === "pulls/orders" ? 500 : 200);
    await process.emit(tenant, eventAbout(tenant, "other", "1"));
    await process.emit(tenant, eventAbout(tenant, "orders", "1"));
    await process.emit(tenant, eventAbout(tenant, "orders", "2"));
    await rig.settle(process, inMinutes(process, 0));
    assert.deepEqual(receiver.taken, ["other/1"]);
    const { failing } = await getWebhook(process, tenant, "hook");
    assert.deepEqual([failing?.last.code, failing?.last.detail], ["webhook.status", "it answered 500"]);
    await rig.settle(process, inMinutes(process, 120));
    const tries = receiver.received.filter(({ event }) => event.id === "orders/1").length;
    // 5 s, 10 s, 20 s and so on: about ten within two hours; each a little earlier than that.
    assert.ok(tries >= 7 && tries <= 13, `${tries} tries in two hours`);
    receiver.answer = () => 200;
    await rig.settle(process, inMinutes(process, 62));
    assert.deepEqual(receiver.taken, ["other/1", ...idsOf("orders", 1, 2)]);
    assert.equal((await getWebhook(process, tenant, "hook")).failing, null);
  });

  it("after a day it is a dead letter; a person puts it back, and it comes with the id that it had", async () => {
    const process = rig.process();
    const tenant = await rig.tenant();
    await newWebhook(process, tenant);
    receiver.answer = () => 503;
    await process.emit(tenant, eventAbout(tenant, "orders", "1"));
    await rig.settle(process, inMinutes(process, 12 * 60));
    await process.emit(tenant, eventAbout(tenant, "orders", "2"));
    assert.deepEqual(await listDeadLetters(process, tenant, "hook"), []);
    await rig.settle(process, process.now().getTime() + DAY_MS / 2 + 3_700_000);
    const [letter, ...more] = await listDeadLetters(process, tenant, "hook");
    assert.deepEqual([letter?.id, letter?.event.id, more.length], ["pulls.orders.1", "orders/1", 0]);
    assert.deepEqual([letter?.failure.code, letter!.attempts > 20], ["webhook.status", true]);
    assert.deepEqual(process.alerts, ["webhook gave up"]);
    receiver.answer = () => 200;
    await rig.settle(process, inMinutes(process, 62));
    assert.deepEqual(receiver.taken, ["orders/2"], "what waited behind it goes on");
    assert.deepEqual(await replay(process, tenant, "hook", "pulls.orders.1"), { replayed: 1 });
    await rig.settle(process, inMinutes(process, 0));
    assert.deepEqual(receiver.taken, ["orders/2", "orders/1"]);
    assert.deepEqual(await listDeadLetters(process, tenant, "hook"), []);
    await assert.rejects(replay(process, tenant, "hook", "pulls.orders.1"), { code: "api.not_found" });
  });

  it("a backlog that grew old while its receiver was away dies together, and is put back together in order", async () => {
    const process = rig.process();
    const tenant = await rig.tenant();
    await newWebhook(process, tenant);
    receiver.answer = () => 500;
    for (let n = 1; n <= 60; n++) await process.emit(tenant, eventAbout(tenant, "orders", String(n)));
    await rig.settle(process, process.now().getTime() + DAY_MS + 2 * 3_700_000);
    assert.equal((await listDeadLetters(process, tenant, "hook")).length, 60);
    receiver.answer = () => 200;
    assert.deepEqual(await replay(process, tenant, "hook", undefined), { replayed: 60 });
    await rig.settle(process, inMinutes(process, 0));
    assert.deepEqual(receiver.taken, idsOf("orders", 1, 60));
  });

  it("of two that answer one bell, one delivers; a bell while it does so loses nothing", async () => {
    const [a, b] = [rig.process(), rig.process()];
    const tenant = await rig.tenant();
    await newWebhook(a, tenant);
    await a.emit(tenant, eventAbout(tenant, "orders", "1"));
    let during: Promise<unknown> | undefined;
    receiver.answer = ({ event }) => {
      if (event.id !== "orders/1") return 200;
      return (response) => {
        // Meanwhile another event is told, and its bell is answered at once, by somebody who may not.
        during = b
          .emit(tenant, eventAbout(tenant, "orders", "2"))
          .then(() => deliverLane(b, lane(tenant, "orders"), never))
          .then(() => void response.writeHead(200).end());
      };
    };
    await deliverLane(a, lane(tenant, "orders"), never);
    await during;
    assert.deepEqual(
      receiver.received.map(({ event }) => event.id),
      idsOf("orders", 1, 2),
    );
  });

  it("whoever dies at whichever write, while telling or delivering, everything arrives, in order", async () => {
    let cases = 0;
    for (const fate of ["die before", "die after", "lose reply"] as const) {
      for (let at = 1; ; at++) {
        const [mortal, heir] = [rig.process(), rig.process()];
        const tenant = await rig.tenant();
        await newWebhook(heir, tenant);
        receiver.taken.length = 0;
        mortal.faults.onWrite = (_, count) => (count === at ? fate : "send");
        const told = async (process: TestProcess) => {
          for (const id of ["1", "2"]) await process.emit(tenant, eventFor(tenant, id));
        };
        // The pull's own outbox tells again what was not told to its end.
        await told(mortal)
          .catch(() => told(mortal.faults.dead ? heir : mortal))
          .catch(() => told(heir));
        await deliverLane(mortal, lane(tenant, "orders"), never).catch(() => undefined);
        await rig.settle(heir, inMinutes(heir, 10));
        const first = [...new Set(receiver.taken)];
        assert.deepEqual(first, idsOf("orders", 1, 2), `${fate} ${at}`);
        assert.ok(receiver.taken.length <= 3, "at most one comes twice");
        cases += 1;
        if (mortal.faults.writes < at) break;
      }
    }
    assert.ok(cases > 20, `${cases} cases`);
  });

  it("a change whose answer was lost and that is sent again ends no delivery, and holds no lane", async () => {
    for (let at = 1; ; at++) {
      const process = rig.process();
      const tenant = await rig.tenant();
      await newWebhook(process, tenant);
      receiver.taken.length = 0;
      const sent = process.faults.writes;
      process.faults.onWrite = (_, count) => (count === sent + at ? "repeat" : "send");
      for (const id of ["1", "2"]) await process.emit(tenant, eventFor(tenant, id));
      await deliverLane(process, lane(tenant, "orders"), never);
      assert.deepEqual(receiver.taken, idsOf("orders", 1, 2), `write ${at}`);
      assert.equal((await process.store.lanes.head(lane(tenant, "orders")))?.value.holder, "", `write ${at}`);
      if (process.faults.writes < sent + at) break;
    }
  });

  it("nor does it hide that an event was given up, or when to go on", async () => {
    for (let at = 1; ; at++) {
      const process = rig.process();
      const tenant = await rig.tenant();
      await newWebhook(process, tenant);
      receiver.answer = () => 500;
      await process.emit(tenant, eventAbout(tenant, "orders", "1"));
      process.advance(DAY_MS);
      process.bells.length = 0;
      const sent = process.faults.writes;
      process.faults.onWrite = (_, count) => (count === sent + at ? "repeat" : "send");
      await deliverLane(process, lane(tenant, "orders"), never);
      const [{ atMs = 0 } = {}] = process.bells;
      assert.ok(atMs > process.now().getTime(), `write ${at}: rung for later`);
      assert.deepEqual(process.alerts, ["webhook gave up"], `write ${at}`);
      assert.equal((await listDeadLetters(process, tenant, "hook")).length, 1, `write ${at}`);
      const before = process.faults.writes;
      process.faults.onWrite = (_, count) => (count === before + 2 ? "repeat" : "send");
      assert.deepEqual(await replay(process, tenant, "hook", "pulls.orders.1"), { replayed: 1 });
      // Nothing of it is left to the tests that follow.
      await removeWebhook(process, tenant, "hook");
      if (before < sent + at) break;
    }
  });

  it("a drained process finishes nothing new, and gives the lane back", async () => {
    const process = rig.process();
    const tenant = await rig.tenant();
    await newWebhook(process, tenant);
    for (const id of ["1", "2"]) await process.emit(tenant, eventAbout(tenant, "orders", id));
    const drain = new AbortController();
    receiver.answer = () => {
      drain.abort();
      return () => undefined;
    };
    await deliverLane(process, lane(tenant, "orders"), drain.signal);
    const head = await process.store.lanes.head(lane(tenant, "orders"));
    assert.deepEqual([head?.value.holder, head?.value.failures], ["", 0]);
    receiver.answer = () => 200;
    await rig.settle(process, inMinutes(process, 0));
    assert.deepEqual(receiver.taken, idsOf("orders", 1, 2));
  });

  it("a rotated secret and the one before sign, until it is over", async () => {
    const process = rig.process();
    const tenant = await rig.tenant();
    const { secret: before } = await newWebhook(process, tenant);
    const { secret } = await rotateWebhook(process, tenant, "hook", 3600);
    assert.notEqual(secret, before);
    await testWebhook(process, tenant, "hook");
    await rig.settle(process, inMinutes(process, 0));
    process.advance(3_601_000);
    await testWebhook(process, tenant, "hook");
    await rig.settle(process, inMinutes(process, 0));
    const counts = receiver.received.map(({ headers }) => String(headers["webhook-signature"]).split(" ").length);
    assert.deepEqual(counts, [2, 1]);
    assert.deepEqual(receiver.received[0]!.event.type, "sallyport.webhook.test");
  });

  it("a removed webhook gets nothing more, and what waited for it goes", async () => {
    const process = rig.process();
    const tenant = await rig.tenant();
    await newWebhook(process, tenant);
    await process.emit(tenant, eventAbout(tenant, "orders", "1"));
    await removeWebhook(process, tenant, "hook");
    await rig.settle(process, inMinutes(process, 5));
    assert.equal(receiver.received.length, 0);
    assert.deepEqual(await process.store.lanes.items(lane(tenant, "orders"), 10), []);
    assert.equal(await process.secrets.get(`webhook-${tenant.length}-${tenant}-hook`), undefined);
  });

  it("the end of a tenant ends its webhooks and their secrets, and nobody else's", async () => {
    const process = rig.process();
    const [tenant, other] = [await rig.tenant(), await rig.tenant()];
    for (const one of [tenant, other]) await newWebhook(process, one);
    await endWebhooks(process, tenant);
    assert.deepEqual(await process.store.webhooks.list(tenant), []);
    await assert.rejects(process.secretsOf(tenant, "hook"), { code: "secrets.unavailable" });
    assert.equal((await process.store.webhooks.list(other)).length, 1);
    assert.equal((await process.secretsOf(other, "hook")).length, 1);
  });

  it("a URL that is not public is refused when it is stored, and a name and a number of webhooks are limited", async () => {
    const process = rig.process();
    const tenant = await rig.tenant();
    const inside = { ...process, networks: () => false };
    const url = "https://hooks.example/";
    await assert.rejects(addWebhook(inside, tenant, { id: "a", url }, "k"), { code: "webhook.address_refused" });
    const nameless = { ...process, resolve: async () => [] };
    await assert.rejects(addWebhook(nameless, tenant, { id: "a", url }, "k"), { code: "webhook.unreachable" });
    await assert.rejects(addWebhook(process, "nobody", { id: "a", url }, "k"), { code: "api.not_found" });
    const stop = new AbortController();
    const allAsked = Promise.withResolvers<void>();
    let asked = 0;
    const silent = {
      ...process,
      resolve: () => {
        asked += 1;
        if (asked === 3) allAsked.resolve();
        return new Promise<never>((_, no) => stop.signal.addEventListener("abort", no));
      },
    };
    const asking = ["a", "b", "c"].map((id) => addWebhook(silent, tenant, { id, url }, "k"));
    await allAsked.promise;
    const tooMany = { code: "api.too_many_calls" };
    await assert.rejects(addWebhook(silent, tenant, { id: "d", url }, "k"), tooMany);
    stop.abort();
    for (const one of asking) await assert.rejects(one, { code: "webhook.unreachable" });
    for (let n = 0; n < 10; n++) await addWebhook(process, tenant, { id: `hook-${n}`, url }, "k");
    await assert.rejects(addWebhook(process, tenant, { id: "hook-0", url }, "k"), { code: "api.conflict" });
    await assert.rejects(addWebhook(process, tenant, { id: "one-more", url }, "k"), { code: "api.conflict" });
  });
});

const made = new Map<string, ReturnType<typeof eventAbout>>();
/** The same event each time it is asked for. */
function eventFor(tenant: string, id: string): ReturnType<typeof eventAbout> {
  const key = `${tenant}/${id}`;
  const event = made.get(key) ?? eventAbout(tenant, "orders", id);
  made.set(key, event);
  return event;
}
