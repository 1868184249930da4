import assert from "node:assert/strict";
import { test } from "node:test";
import { bodiesIn, open, receive, receiveOne } from "./open.ts";

const QUEUE = { Queues: [{ Name: "q" }] };
const numbers = (count: number) => Array.from({ length: count }, (_, index) => index);

test("peek-lock hides a message until it is settled", async (t) => {
  const { bus, client } = await open(t, QUEUE);
  await client.createSender("q").sendMessages({ body: 1 });
  const receiver = client.createReceiver("q");
  const message = await receiveOne(receiver);
  assert.match(message.lockToken!, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
  assert.ok(message.lockedUntilUtc!.getTime() > Date.now());
  assert.deepEqual(await client.createReceiver("q").receiveMessages(1, { maxWaitTimeInMs: 50 }), []);
  await receiver.completeMessage(message);
  assert.deepEqual(await bodiesIn(bus, "q"), []);
});

test("receive-and-delete takes messages without more ado", async (t) => {
  const { bus, client } = await open(t, QUEUE);
  await client.createSender("q").sendMessages(numbers(5).map((body) => ({ body })));
  const receiver = client.createReceiver("q", { receiveMode: "receiveAndDelete" });
  const messages = await receive(receiver, 5);
  assert.deepEqual(
    messages.map(({ body }) => body),
    numbers(5),
  );
  assert.equal(messages[0]?.lockToken, undefined);
  assert.deepEqual(await bodiesIn(bus, "q"), []);
});

test("a drain of an empty queue is answered, and the link goes on working", async (t) => {
  const { client } = await open(t, QUEUE);
  const receiver = client.createReceiver("q");
  const sender = client.createSender("q");
  for (const body of numbers(3)) {
    assert.deepEqual(await receiver.receiveMessages(10, { maxWaitTimeInMs: 20 }), []);
    await sender.sendMessages({ body });
    // Were the drained credit still standing, it would have been delivered to nobody.
    const message = await receiveOne(receiver);
    assert.equal(message.body, body);
    assert.equal(message.deliveryCount, 0);
    await receiver.completeMessage(message);
  }
});

test("what is left of the credit is drained when fewer messages came than were asked for", async (t) => {
  const { client } = await open(t, QUEUE);
  await client.createSender("q").sendMessages(numbers(3).map((body) => ({ body })));
  const receiver = client.createReceiver("q");
  const first = await receiver.receiveMessages(10, { maxWaitTimeInMs: 100 });
  assert.deepEqual(
    first.map(({ body }) => body),
    [0, 1, 2],
  );
  await client.createSender("q").sendMessages({ body: "later" });
  const [later] = await receiver.receiveMessages(10, { maxWaitTimeInMs: 100 });
  assert.deepEqual([later?.body, later?.deliveryCount], ["later", 0]);
});

test("a subscriber gets more messages than a session's buffer of 2,048 holds", async (t) => {
  const count = 3000;
  const { bus, client } = await open(t, QUEUE);
  const sender = client.createSender("q");
  for (const part of numbers(count / 500)) {
    await sender.sendMessages(numbers(500).map((index) => ({ body: part * 500 + index })));
  }
  const seen = new Set<number>();
  const { promise: all, resolve, reject } = Promise.withResolvers<void>();
  const receiver = client.createReceiver("q");
  const subscription = receiver.subscribe(
    {
      async processMessage({ body }) {
        seen.add(body);
        if (seen.size === count) resolve();
      },
      async processError({ error }) {
        reject(error);
      },
    },
    { maxConcurrentCalls: 50 },
  );
  await all;
  await subscription.close();
  assert.equal(seen.size, count);
  assert.deepEqual(await bodiesIn(bus, "q"), []);
});

test("two receivers share the messages, and each message goes to one", async (t) => {
  const { client } = await open(t, QUEUE);
  const receivers = [client.createReceiver("q"), client.createReceiver("q")];
  const waiting = receivers.map((receiver) => receive(receiver, 5));
  await client.createSender("q").sendMessages(numbers(10).map((body) => ({ body })));
  const bodies = (await Promise.all(waiting)).flat().map(({ body }) => body);
  assert.deepEqual(
    bodies.sort((a, b) => a - b),
    numbers(10),
  );
});

test("a receiver that went away gets no more messages", async (t) => {
  const { bus, client } = await open(t, QUEUE);
  const gone = client.createReceiver("q", { receiveMode: "receiveAndDelete" });
  const abort = new AbortController();
  const waiting = gone.receiveMessages(5, { abortSignal: abort.signal });
  await bodiesIn(bus, "q");
  abort.abort();
  await assert.rejects(waiting, { name: "AbortError" });
  await gone.close();
  await client.createSender("q").sendMessages({ body: "kept" });
  assert.equal((await receiveOne(client.createReceiver("q"))).body, "kept");
});
