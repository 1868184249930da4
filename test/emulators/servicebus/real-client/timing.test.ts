import assert from "node:assert/strict";
import { test } from "node:test";
import { bodiesIn, open, receiveOne } from "./open.ts";

const QUEUE = { Queues: [{ Name: "q" }] };
const HOUR_MS = 3_600_000;

test("an expired message becomes a dead letter where that is configured", async (t) => {
  const Properties = { DeadLetteringOnMessageExpiration: true };
  const { bus, client } = await open(t, { Queues: [{ Name: "q", Properties }] });
  await client.createSender("q").sendMessages({ body: 1, timeToLive: 50 });
  const dead = await receiveOne(client.createReceiver("q", { subQueueType: "deadLetter" }));
  assert.equal(dead.deadLetterReason, "TTLExpiredException");
  assert.deepEqual(await bodiesIn(bus, "q"), []);
});

test("the queue's time to live applies to messages without their own", async (t) => {
  const Properties = { DeadLetteringOnMessageExpiration: true, DefaultMessageTimeToLive: "PT0.05S" };
  const { client } = await open(t, { Queues: [{ Name: "q", Properties }] });
  await client.createSender("q").sendMessages({ body: 1 });
  assert.equal((await receiveOne(client.createReceiver("q", { subQueueType: "deadLetter" }))).body, 1);
});

test("a scheduled message can be seen, arrives when due, and has a new number then", async (t) => {
  const { client } = await open(t, QUEUE);
  const sender = client.createSender("q");
  const receiver = client.createReceiver("q");
  const due = new Date(Date.now() + 300);
  const [number] = await sender.scheduleMessages([{ body: "later" }], due);
  const [seen] = await receiver.peekMessages(1);
  assert.deepEqual([seen?.body, seen?.state, seen?.scheduledEnqueueTimeUtc], ["later", "scheduled", due]);
  assert.equal(seen?.sequenceNumber?.toString(), number?.toString());
  const message = await receiveOne(receiver);
  assert.ok(Date.now() >= due.getTime());
  assert.ok(message.enqueuedTimeUtc!.getTime() >= due.getTime());
  assert.notEqual(message.sequenceNumber?.toString(), number?.toString());
});

test("a message may carry its schedule itself, alone and in a batch", async (t) => {
  const { client } = await open(t, QUEUE);
  const sender = client.createSender("q");
  const scheduledEnqueueTimeUtc = new Date(Date.now() + HOUR_MS);
  await sender.sendMessages({ body: 1, scheduledEnqueueTimeUtc });
  await sender.sendMessages([{ body: 2, scheduledEnqueueTimeUtc }, { body: 3 }]);
  const states = (await client.createReceiver("q").peekMessages(3)).map(({ body, state }) => [body, state]);
  assert.deepEqual(states, [
    [1, "scheduled"],
    [2, "scheduled"],
    [3, "active"],
  ]);
});

test("cancelled messages never arrive; what is not scheduled cannot be cancelled", async (t) => {
  const { bus, client } = await open(t, QUEUE);
  const sender = client.createSender("q");
  const numbers = await sender.scheduleMessages([{ body: 1 }, { body: 2 }], new Date(Date.now() + HOUR_MS));
  assert.equal(numbers.length, 2);
  await sender.cancelScheduledMessages(numbers[0]!);
  await assert.rejects(sender.cancelScheduledMessages(numbers), { code: "MessageNotFound" });
  assert.deepEqual(await bodiesIn(bus, "q"), [2]);
});

test("a scheduled message is held to the size limit too", async (t) => {
  const { client } = await open(t, QUEUE);
  const sent = client
    .createSender("q")
    .scheduleMessages({ body: Buffer.alloc(300_000) }, new Date(Date.now() + HOUR_MS));
  await assert.rejects(sent, { code: "MessageSizeExceeded" });
});

test("a message scheduled in a year does not come now", async (t) => {
  const { client } = await open(t, QUEUE);
  const year = new Date(Date.now() + 366 * 24 * HOUR_MS);
  await client.createSender("q").scheduleMessages({ body: 1, timeToLive: 400 * 24 * HOUR_MS }, year);
  assert.deepEqual(await client.createReceiver("q").receiveMessages(1, { maxWaitTimeInMs: 50 }), []);
});

test("peeking goes on where it stopped, and from any number", async (t) => {
  const { bus, client } = await open(t, QUEUE);
  await client.createSender("q").sendMessages([1, 2, 3, 4].map((body) => ({ body })));
  const receiver = client.createReceiver("q");
  assert.deepEqual(
    (await receiver.peekMessages(2)).map(({ body }) => body),
    [1, 2],
  );
  assert.deepEqual(
    (await receiver.peekMessages(5)).map(({ body }) => body),
    [3, 4],
  );
  assert.deepEqual(await receiver.peekMessages(5), []);
  assert.deepEqual(await bodiesIn(bus, "q"), [1, 2, 3, 4]);
});

test("a repeated message id is accepted and swallowed", async (t) => {
  const Properties = { RequiresDuplicateDetection: true, DuplicateDetectionHistoryTimeWindow: "PT1M" };
  const { bus, client } = await open(t, { Queues: [{ Name: "q", Properties }] });
  const sender = client.createSender("q");
  await sender.sendMessages({ body: 1, messageId: "a" });
  await sender.sendMessages([
    { body: 2, messageId: "a" },
    { body: 3, messageId: "b" },
  ]);
  await sender.scheduleMessages({ body: 4, messageId: "b" }, new Date(Date.now() + HOUR_MS));
  const receiver = client.createReceiver("q");
  await receiver.completeMessage(await receiveOne(receiver));
  await sender.sendMessages({ body: 5, messageId: "a" });
  assert.deepEqual(await bodiesIn(bus, "q"), [3]);
});
