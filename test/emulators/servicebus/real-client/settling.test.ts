import assert from "node:assert/strict";
import { test } from "node:test";
import { bodiesIn, open, receive, receiveOne } from "./open.ts";

const QUEUE = { Queues: [{ Name: "q" }] };
const SHORT_LOCK = { Queues: [{ Name: "q", Properties: { LockDuration: "PT1S", MaxDeliveryCount: 3 } }] };
// Unless told otherwise the SDK renews the lock of every message for five minutes.
const NO_RENEWAL = { maxAutoLockRenewalDurationInMs: 0 };
const LOCK_LOST = { code: "MessageLockLost" };

test("an abandoned message comes again, counted, with the properties that were added", async (t) => {
  const { client } = await open(t, QUEUE);
  await client.createSender("q").sendMessages({ body: 1, applicationProperties: { kept: "yes", changed: 1 } });
  const receiver = client.createReceiver("q");
  await receiver.abandonMessage(await receiveOne(receiver), { changed: 2, added: "new" });
  const again = await receiveOne(receiver);
  assert.equal(again.deliveryCount, 1);
  assert.deepEqual(again.applicationProperties, { kept: "yes", changed: 2, added: "new" });
});

test("a deferred message waits for who asks for its number, and is settled through $management", async (t) => {
  const { bus, client } = await open(t, QUEUE);
  await client.createSender("q").sendMessages([{ body: "a" }, { body: "b" }, { body: "c" }, { body: "d" }]);
  const receiver = client.createReceiver("q");
  const messages = await receive(receiver, 4);
  for (const message of messages) await receiver.deferMessage(message, { deferred: true });
  assert.deepEqual(await receiver.receiveMessages(1, { maxWaitTimeInMs: 50 }), []);
  const deferred = await receiver.receiveDeferredMessages(messages.map(({ sequenceNumber }) => sequenceNumber!));
  assert.deepEqual(
    deferred.map(({ body }) => body),
    ["a", "b", "c", "d"],
  );
  assert.deepEqual([deferred[0]?.state, deferred[0]?.applicationProperties], ["deferred", { deferred: true }]);
  await receiver.completeMessage(deferred[0]!);
  await receiver.abandonMessage(deferred[1]!);
  await receiver.deferMessage(deferred[2]!);
  await receiver.deadLetterMessage(deferred[3]!, { deadLetterReason: "reason", deadLetterErrorDescription: "why" });
  assert.deepEqual(await bodiesIn(bus, "q"), ["b", "c"]);
  const dead = await receiveOne(client.createReceiver("q", { subQueueType: "deadLetter" }));
  assert.deepEqual([dead.body, dead.deadLetterReason, dead.deadLetterErrorDescription], ["d", "reason", "why"]);
  await assert.rejects(receiver.completeMessage(deferred[0]!), LOCK_LOST);
});

test("deferred messages can be received and deleted, and asking for unknown ones fails", async (t) => {
  const { bus, client } = await open(t, QUEUE);
  await client.createSender("q").sendMessages({ body: "a" });
  const receiver = client.createReceiver("q");
  const message = await receiveOne(receiver);
  await assert.rejects(receiver.receiveDeferredMessages(message.sequenceNumber!), { code: "MessageNotFound" });
  await receiver.deferMessage(message);
  const deleting = client.createReceiver("q", { receiveMode: "receiveAndDelete" });
  assert.equal((await deleting.receiveDeferredMessages(message.sequenceNumber!))[0]?.body, "a");
  assert.deepEqual(await bodiesIn(bus, "q"), []);
});

test("a dead letter says why and where it came from, and can be completed", async (t) => {
  const { bus, client } = await open(t, QUEUE);
  await client.createSender("q").sendMessages({ body: "poison", messageId: "m" });
  const receiver = client.createReceiver("q");
  await receiver.deadLetterMessage(await receiveOne(receiver), {
    deadLetterReason: "reason",
    deadLetterErrorDescription: "description",
    extra: 5,
  });
  assert.deepEqual(await bodiesIn(bus, "q"), []);
  const deadLetters = client.createReceiver("q", { subQueueType: "deadLetter" });
  const dead = await receiveOne(deadLetters);
  assert.deepEqual([dead.body, dead.messageId, dead.deadLetterSource], ["poison", "m", "q"]);
  assert.deepEqual(dead.applicationProperties, {
    DeadLetterReason: "reason",
    DeadLetterErrorDescription: "description",
    extra: 5,
  });
  await deadLetters.completeMessage(dead);
  assert.deepEqual(await deadLetters.peekMessages(1), []);
});

test("a dead letter cannot be dead-lettered again", async (t) => {
  const { client } = await open(t, QUEUE);
  await client.createSender("q").sendMessages({ body: "poison" });
  const receiver = client.createReceiver("q");
  await receiver.deadLetterMessage(await receiveOne(receiver));
  const deadLetters = client.createReceiver("q", { subQueueType: "deadLetter" });
  const dead = await receiveOne(deadLetters);
  await assert.rejects(deadLetters.deadLetterMessage(dead), /cannot be dead-lettered again/);
});

test("after MaxDeliveryCount deliveries a message is dead-lettered", async (t) => {
  const { bus, client } = await open(t, SHORT_LOCK);
  await client.createSender("q").sendMessages({ body: "poison" });
  const receiver = client.createReceiver("q");
  for (const expected of [0, 1, 2]) {
    const message = await receiveOne(receiver);
    assert.equal(message.deliveryCount, expected);
    await receiver.abandonMessage(message);
  }
  const dead = await receiveOne(client.createReceiver("q", { subQueueType: "deadLetter" }));
  assert.equal(dead.deadLetterReason, "MaxDeliveryCountExceeded");
  assert.equal(dead.deadLetterErrorDescription, "Message could not be consumed after 3 delivery attempts.");
  assert.deepEqual(await bodiesIn(bus, "q"), []);
});

test("a lost lock is told at once to who settles too late, on the link that got the message", async (t) => {
  const { bus, client } = await open(t, SHORT_LOCK);
  await client.createSender("q").sendMessages({ body: 1 });
  const receiver = client.createReceiver("q", NO_RENEWAL);
  const late = await receiveOne(receiver);
  const again = await receiveOne(receiver);
  assert.equal(again.deliveryCount, 1);
  await assert.rejects(receiver.completeMessage(late), LOCK_LOST);
  await assert.rejects(receiver.renewMessageLock(late), LOCK_LOST);
  await receiver.completeMessage(again);
  assert.deepEqual(await bodiesIn(bus, "q"), []);
});

test("settlements of one moment each get their own answer", async (t) => {
  const { client } = await open(t, SHORT_LOCK);
  await client.createSender("q").sendMessages([{ body: 1 }, { body: 2 }, { body: 3 }]);
  const receiver = client.createReceiver("q", NO_RENEWAL);
  const late = await receive(receiver, 3);
  const again = await receive(receiver, 3);
  const results = await Promise.allSettled([...late, ...again].map((message) => receiver.completeMessage(message)));
  assert.deepEqual(
    results.map(({ status }) => status),
    [...Array(3).fill("rejected"), ...Array(3).fill("fulfilled")],
  );
});

test("renewing holds a message beyond its lock duration", async (t) => {
  const { client } = await open(t, { Queues: [{ Name: "q", Properties: { LockDuration: "PT2S" } }] });
  await client.createSender("q").sendMessages({ body: 1 });
  const receiver = client.createReceiver("q", NO_RENEWAL);
  const message = await receiveOne(receiver);
  const other = client.createReceiver("q", NO_RENEWAL);
  let until = message.lockedUntilUtc!;
  for (let renewals = 0; renewals < 3; renewals += 1) {
    assert.deepEqual(await other.receiveMessages(1, { maxWaitTimeInMs: 800 }), []);
    const renewed = await receiver.renewMessageLock(message);
    assert.ok(renewed > until);
    until = renewed;
  }
  await receiver.completeMessage(message);
});

test("the SDK's own lock renewal keeps a long job its message", async (t) => {
  const { bus, client } = await open(t, SHORT_LOCK);
  await client.createSender("q").sendMessages({ body: 1 });
  const other = client.createReceiver("q");
  const { promise: done, resolve, reject } = Promise.withResolvers<number>();
  const subscription = client.createReceiver("q", { maxAutoLockRenewalDurationInMs: 60_000 }).subscribe({
    async processMessage() {
      resolve((await other.receiveMessages(1, { maxWaitTimeInMs: 1300 })).length);
    },
    async processError({ error }) {
      reject(error);
    },
  });
  assert.equal(await done, 0);
  await subscription.close();
  assert.deepEqual(await bodiesIn(bus, "q"), []);
});

test("a message can be settled after the link that brought it was closed", async (t) => {
  const { client } = await open(t, QUEUE);
  await client.createSender("q").sendMessages([{ body: 1 }, { body: 2 }]);
  const first = client.createReceiver("q");
  const [one, two] = await receive(first, 2);
  await first.close();
  const second = client.createReceiver("q");
  await second.completeMessage(one!);
  await second.abandonMessage(two!);
  assert.equal((await receiveOne(second)).body, 2);
});
