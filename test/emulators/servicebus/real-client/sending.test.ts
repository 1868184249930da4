import assert from "node:assert/strict";
import { test } from "node:test";
import { MAX_MESSAGE_BYTES } from "../wire/incoming.ts";
import { bodiesIn, open, receive, receiveOne } from "./open.ts";

const QUEUE = { Queues: [{ Name: "q" }] };

test("a message arrives as it was sent", async (t) => {
  const { client } = await open(t, QUEUE);
  const sent = {
    body: { nested: [1, "two", null] },
    messageId: "id-1",
    contentType: "application/json",
    correlationId: "correlation",
    subject: "subject",
    to: "to",
    replyTo: "reply",
    timeToLive: 60_000,
    applicationProperties: { text: "ä€😀", number: 1.5, integer: 7, flag: true },
  };
  await client.createSender("q").sendMessages(sent);
  const received = await receiveOne(client.createReceiver("q"));
  for (const [name, value] of Object.entries(sent)) assert.deepEqual(received[name as "body"], value, name);
  assert.equal(received.sequenceNumber?.toString(), "1");
  assert.equal(received.deliveryCount, 0);
  assert.equal(received.state, "active");
  assert.ok(Math.abs(received.enqueuedTimeUtc!.getTime() - Date.now()) < 60_000);
  assert.equal(received.expiresAtUtc!.getTime(), received.enqueuedTimeUtc!.getTime() + 60_000);
});

test("binary bodies arrive exactly, up to the size limit", async (t) => {
  const { client } = await open(t, QUEUE);
  const body = Buffer.alloc(MAX_MESSAGE_BYTES - 1000, "sallyport");
  await client.createSender("q").sendMessages({ body });
  const received = await receiveOne(client.createReceiver("q"));
  assert.ok(body.equals(received.body));
});

test("a message without an id is given one", async (t) => {
  const { client } = await open(t, QUEUE);
  await client.createSender("q").sendMessages([{ body: 1 }, { body: 2 }]);
  const [one, two] = await receive(client.createReceiver("q"), 2);
  assert.equal(typeof one?.messageId, "string");
  assert.notEqual(one?.messageId, two?.messageId);
});

test("a batch keeps its order, and each message its own properties", async (t) => {
  const { client } = await open(t, QUEUE);
  const sender = client.createSender("q");
  assert.equal((await sender.createMessageBatch()).maxSizeInBytes, MAX_MESSAGE_BYTES);
  await sender.sendMessages(Array.from({ length: 50 }, (_, body) => ({ body, messageId: `m${body}` })));
  const received = await receive(client.createReceiver("q"), 50);
  assert.deepEqual(
    received.map(({ body, messageId, sequenceNumber }) => [body, messageId, sequenceNumber?.toNumber()]),
    Array.from({ length: 50 }, (_, index) => [index, `m${index}`, index + 1]),
  );
});

test("each of many parallel sends gets its own answer, too large ones included", async (t) => {
  const { bus, client } = await open(t, QUEUE);
  const sender = client.createSender("q");
  const small = (body: number) => sender.sendMessages({ body });
  const large = () => sender.sendMessages({ body: Buffer.alloc(MAX_MESSAGE_BYTES) });
  const results = await Promise.allSettled([small(1), large(), small(2), large(), large(), small(3)]);
  assert.deepEqual(
    results.map(({ status }) => status === "fulfilled"),
    [true, false, true, false, false, true],
  );
  for (const result of results) {
    if (result.status === "rejected") assert.equal(result.reason.code, "MessageSizeExceeded");
  }
  assert.deepEqual(await bodiesIn(bus, "q"), [1, 2, 3]);
});

test("sending goes on after the first credit of 1,000 is used up", async (t) => {
  const { client } = await open(t, QUEUE);
  const sender = client.createSender("q");
  for (let round = 0; round < 5; round += 1) {
    await Promise.all(Array.from({ length: 500 }, (_, index) => sender.sendMessages({ body: index })));
  }
  await sender.sendMessages({ body: "last", messageId: "last" });
  const [number] = await sender.scheduleMessages([{ body: "numbered" }], new Date(Date.now() + 3_600_000));
  assert.equal(number?.toNumber(), 2502);
});

test("an entity that is not configured is not found, for senders and receivers", async (t) => {
  const { client } = await open(t, QUEUE);
  const notFound = { code: "MessagingEntityNotFound" };
  await assert.rejects(client.createSender("nowhere").sendMessages({ body: 1 }), notFound);
  await assert.rejects(client.createReceiver("nowhere").receiveMessages(1), notFound);
  await assert.rejects(client.createReceiver("nowhere").peekMessages(1), notFound);
});

test("entity names are compared without case", async (t) => {
  const { bus, client } = await open(t, QUEUE);
  await client.createSender("Q").sendMessages({ body: 1 });
  assert.deepEqual(await bodiesIn(bus, "q"), [1]);
});
