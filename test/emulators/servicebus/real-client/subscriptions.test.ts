import assert from "node:assert/strict";
import { test } from "node:test";
import { bodiesIn, open, receive, receiveOne } from "./open.ts";

const TOPIC = { Topics: [{ Name: "t", Subscriptions: [{ Name: "one" }, { Name: "two" }] }] };
const SHORT_LOCK = {
  Topics: [{ Name: "t", Subscriptions: [{ Name: "one", Properties: { LockDuration: "PT1S", MaxDeliveryCount: 3 } }] }],
};
// Unless told otherwise the SDK renews the lock of every message for five minutes.
const NO_RENEWAL = { maxAutoLockRenewalDurationInMs: 0 };
const LOCK_LOST = { code: "MessageLockLost" };

test("each subscription has its own copy, settled on its own", async (t) => {
  const { bus, client } = await open(t, TOPIC);
  const sent = { body: { rows: 3 }, messageId: "m", applicationProperties: { kept: "yes", changed: 1 } };
  await client.createSender("t").sendMessages(sent);
  const [one, two] = [client.createReceiver("t", "one"), client.createReceiver("t", "two")];
  const copies = [await receiveOne(one), await receiveOne(two)];
  assert.notEqual(copies[0]?.lockToken, copies[1]?.lockToken);
  for (const copy of copies) {
    assert.deepEqual([copy.body, copy.messageId, copy.deliveryCount], [sent.body, "m", 0]);
    assert.equal(copy.sequenceNumber?.toString(), "1");
  }
  await one.abandonMessage(copies[0]!, { changed: 2 });
  await two.completeMessage(copies[1]!);
  const again = await receiveOne(one);
  assert.deepEqual([again.deliveryCount, again.applicationProperties], [1, { kept: "yes", changed: 2 }]);
  assert.deepEqual(await bodiesIn(bus, "t/Subscriptions/two"), []);
});

test("a lock expires, can be renewed, and its loss is told", async (t) => {
  const { bus, client } = await open(t, SHORT_LOCK);
  await client.createSender("t").sendMessages({ body: 1 });
  const receiver = client.createReceiver("t", "one", NO_RENEWAL);
  const message = await receiveOne(receiver);
  assert.ok((await receiver.renewMessageLock(message)) > message.enqueuedTimeUtc!);
  const again = await receiveOne(receiver);
  assert.equal(again.deliveryCount, 1);
  await assert.rejects(receiver.completeMessage(message), LOCK_LOST);
  await assert.rejects(receiver.renewMessageLock(message), LOCK_LOST);
  await receiver.completeMessage(again);
  assert.deepEqual(await bodiesIn(bus, "t/Subscriptions/one"), []);
});

test("deferring and dead-lettering concern one subscription", async (t) => {
  const { bus, client } = await open(t, TOPIC);
  await client.createSender("t").sendMessages([{ body: "deferred" }, { body: "dead" }]);
  const one = client.createReceiver("t", "one");
  const [deferred, dead] = await receive(one, 2);
  await one.deferMessage(deferred!);
  await one.deadLetterMessage(dead!, { deadLetterReason: "reason", deadLetterErrorDescription: "why" });
  const [again] = await one.receiveDeferredMessages(deferred!.sequenceNumber!);
  assert.deepEqual([again?.body, again?.state], ["deferred", "deferred"]);
  await one.completeMessage(again!);
  const deadLetters = client.createReceiver("t", "one", { subQueueType: "deadLetter" });
  const letter = await receiveOne(deadLetters);
  assert.deepEqual(
    [letter.body, letter.deadLetterReason, letter.deadLetterErrorDescription, letter.deadLetterSource],
    ["dead", "reason", "why", "t/Subscriptions/one"],
  );
  await deadLetters.completeMessage(letter);
  assert.deepEqual(await bodiesIn(bus, "t/Subscriptions/one/$DeadLetterQueue"), []);
  assert.deepEqual(await bodiesIn(bus, "t/Subscriptions/two/$DeadLetterQueue"), []);
  assert.deepEqual(await bodiesIn(bus, "t/Subscriptions/two"), ["deferred", "dead"]);
});

test("receive-and-delete takes from one subscription only", async (t) => {
  const { bus, client } = await open(t, TOPIC);
  await client.createSender("t").sendMessages([{ body: 1 }, { body: 2 }]);
  await receive(client.createReceiver("t", "one", { receiveMode: "receiveAndDelete" }), 2);
  assert.deepEqual(await bodiesIn(bus, "t/Subscriptions/one"), []);
  assert.deepEqual(await bodiesIn(bus, "t/Subscriptions/two"), [1, 2]);
});

test("subscribers of one subscription share its messages, and those of another get all", async (t) => {
  const { client } = await open(t, TOPIC);
  const count = 40;
  const got: Record<string, number[]> = { first: [], second: [], other: [] };
  const { promise: done, resolve, reject } = Promise.withResolvers<void>();
  const subscribe = (name: string, subscription: string) =>
    client.createReceiver("t", subscription).subscribe(
      {
        async processMessage({ body }) {
          got[name]!.push(body);
          if (got.first!.length + got.second!.length === count && got.other!.length === count) resolve();
        },
        async processError({ error }) {
          reject(error);
        },
      },
      { maxConcurrentCalls: 5 },
    );
  const subscribers = [subscribe("first", "one"), subscribe("second", "one"), subscribe("other", "two")];
  const bodies = Array.from({ length: count }, (_, body) => body);
  await client.createSender("t").sendMessages(bodies.map((body) => ({ body })));
  await done;
  for (const subscriber of subscribers) await subscriber.close();
  const sorted = (numbers: number[]) => numbers.toSorted((a, b) => a - b);
  assert.deepEqual(sorted([...got.first!, ...got.second!]), bodies);
  assert.deepEqual(sorted(got.other!), bodies);
});

test("the shorter of the message's, the topic's and the subscription's time to live counts", async (t) => {
  const short = { DefaultMessageTimeToLive: "PT0.05S", DeadLetteringOnMessageExpiration: true };
  const { bus, client } = await open(t, {
    Topics: [
      {
        Name: "t",
        Properties: { DefaultMessageTimeToLive: "PT1H" },
        Subscriptions: [{ Name: "short", Properties: short }, { Name: "long" }],
      },
    ],
  });
  await client.createSender("t").sendMessages({ body: 1, timeToLive: 60_000 });
  const dead = await receiveOne(client.createReceiver("t", "short", { subQueueType: "deadLetter" }));
  assert.equal(dead.deadLetterReason, "TTLExpiredException");
  const kept = await receiveOne(client.createReceiver("t", "long"));
  assert.equal(kept.expiresAtUtc!.getTime() - kept.enqueuedTimeUtc!.getTime(), 60_000);
  assert.deepEqual(await bodiesIn(bus, "t/Subscriptions/short"), []);
});

test("subscriptions are addressed without case, by the SDK's two names or the path", async (t) => {
  const { client } = await open(t, TOPIC);
  await client.createSender("T").sendMessages([{ body: 1 }, { body: 2 }]);
  const [byNames, byPath] = [client.createReceiver("T", "ONE"), client.createReceiver("t/subscriptions/one")];
  await byNames.completeMessage(await receiveOne(byNames));
  assert.equal((await receiveOne(byPath)).body, 2);
});
