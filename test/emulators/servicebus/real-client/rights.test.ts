import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { ServiceBusClient } from "@azure/service-bus";
import { type ServiceBus, startServiceBus } from "../start.ts";
import { bodiesIn, configOf, connect, KEYS, open, receiveOne } from "./open.ts";

const ENTITIES = { Queues: [{ Name: "q" }], Topics: [{ Name: "t", Subscriptions: [{ Name: "s" }] }] };
const ROOT = KEYS[0]!;
const later = () => new Date(Date.now() + 3_600_000);

const needs = (right: string) => ({
  code: "UnauthorizedAccess",
  message: new RegExp(`'${right}' claim\\(s\\) are required`),
});

const connectWith = (t: TestContext, { port }: ServiceBus, name: string, key: string) =>
  connect(
    t,
    `Endpoint=sb://127.0.0.1:${port};SharedAccessKeyName=${name};SharedAccessKey=${key};UseDevelopmentEmulator=true`,
  );

test("a key that may only send does only that, over links and through $management", async (t) => {
  const { bus, client } = await open(t, ENTITIES, {
    keys: [ROOT, { name: "sender", key: "s", rights: ["Send"] }],
  });
  const mine = connectWith(t, bus, "sender", "s");
  for (const entity of ["q", "t"]) {
    const sender = mine.createSender(entity);
    await sender.sendMessages({ body: entity });
    const [number] = await sender.scheduleMessages({ body: "scheduled" }, later());
    await sender.cancelScheduledMessages(number!);
  }
  await refusesReceiving(mine, client);
  assert.deepEqual(await bodiesIn(bus, "q"), ["q"]);
  assert.deepEqual(await bodiesIn(bus, "t/Subscriptions/s"), ["t"]);
});

async function refusesReceiving(mine: ServiceBusClient, root: ServiceBusClient): Promise<void> {
  const [queue, subscription] = [mine.createReceiver("q"), mine.createReceiver("t", "s")];
  for (const receiver of [queue, subscription]) {
    await assert.rejects(receiver.receiveMessages(1), needs("Listen"));
    await assert.rejects(receiver.peekMessages(1), needs("Listen"));
  }
  const deadLetters = mine.createReceiver("t", "s", { subQueueType: "deadLetter" });
  await assert.rejects(deadLetters.receiveMessages(1), needs("Listen"));
  const rightful = root.createReceiver("t", "s");
  const message = await receiveOne(rightful);
  await assert.rejects(subscription.renewMessageLock(message), needs("Listen"));
  await rightful.abandonMessage(message);
}

test("a key that may only listen receives and settles, and sends nothing", async (t) => {
  const { bus, client } = await open(t, ENTITIES, {
    keys: [ROOT, { name: "listener", key: "l", rights: ["Listen"] }],
  });
  await client.createSender("t").sendMessages({ body: 1 });
  const [number] = await client.createSender("t").scheduleMessages({ body: 2 }, later());
  const mine = connectWith(t, bus, "listener", "l");
  const receiver = mine.createReceiver("t", "s");
  assert.equal((await receiver.peekMessages(1)).length, 1);
  const message = await receiveOne(receiver);
  await receiver.renewMessageLock(message);
  await receiver.deadLetterMessage(message);
  assert.equal((await receiveOne(mine.createReceiver("t", "s", { subQueueType: "deadLetter" }))).body, 1);
  for (const entity of ["q", "t"]) {
    await assert.rejects(mine.createSender(entity).sendMessages({ body: 3 }), needs("Send"));
    await assert.rejects(mine.createSender(entity).scheduleMessages({ body: 3 }, later()), needs("Send"));
  }
  await assert.rejects(mine.createSender("t").cancelScheduledMessages(number!), needs("Send"));
});

test("a topic's own key is good for its subscriptions, and for nothing else", async (t) => {
  const { bus } = await open(t, ENTITIES, { keys: [ROOT, { name: "topic", key: "k", entity: "t" }] });
  const mine = connectWith(t, bus, "topic", "k");
  await mine.createSender("t").sendMessages({ body: 1 });
  assert.equal((await receiveOne(mine.createReceiver("t", "s"))).body, 1);
  await assert.rejects(mine.createSender("q").sendMessages({ body: 1 }), { code: "UnauthorizedAccess" });
});

test("rights are checked at the start", async () => {
  const start = (rights: readonly string[]) =>
    startServiceBus({ config: configOf(ENTITIES), keys: [{ name: "k", key: "k", rights: rights as never }] });
  await assert.rejects(start(["Manage"]), /Manage includes the others/);
  await assert.rejects(start([]), /rights/);
  await assert.rejects(start(["Receive"]), /rights/);
});
