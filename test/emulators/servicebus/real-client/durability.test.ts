import assert from "node:assert/strict";
import { test } from "node:test";
import { startServiceBus } from "../start.ts";
import { dataFile } from "./data-file.ts";
import { atEnd, configOf, connect, KEYS, receive, receiveOne } from "./open.ts";
import { startProcess } from "./process.ts";

const HOUR_MS = 3_600_000;
const CONFIG = configOf({
  Queues: [
    { Name: "q", Properties: { MaxDeliveryCount: 5 } },
    { Name: "once", Properties: { RequiresDuplicateDetection: true } },
  ],
  Topics: [{ Name: "t", Subscriptions: [{ Name: "s" }] }],
});

test("a restart finds every message in the state it was left in", async (t) => {
  const data = await dataFile(t);
  const before = await startServiceBus({ config: CONFIG, keys: KEYS, data });
  const first = connect(t, before.connectionString);
  const sender = first.createSender("q");
  await sender.sendMessages(
    ["completed", "locked", "abandoned", "deferred", "dead", "fresh"].map((body) => ({ body })),
  );
  const [scheduled] = await sender.scheduleMessages({ body: "scheduled" }, new Date(Date.now() + HOUR_MS));
  await first.createSender("once").sendMessages({ body: "only one", messageId: "a" });
  await first.createSender("t").sendMessages({ body: "event", messageId: "e", applicationProperties: { kept: true } });
  const receiver = first.createReceiver("q");
  const [completed, , abandoned, deferred, dead] = await receive(receiver, 5);
  await receiver.completeMessage(completed!);
  await receiver.deferMessage(deferred!);
  await receiver.deadLetterMessage(dead!, { deadLetterReason: "reason" } as never);
  await receiver.abandonMessage(abandoned!);
  await first.close();
  await before.close();

  const after = await startServiceBus({ config: CONFIG, keys: KEYS, data });
  atEnd(t, () => after.close());
  const second = connect(t, after.connectionString);
  const again = second.createReceiver("q");
  assert.deepEqual(
    (await again.peekMessages(10)).map(({ body, state, deliveryCount }) => [body, state, deliveryCount]),
    [
      // A lock does not survive, and neither does the delivery that it stood for.
      ["locked", "active", 0],
      ["abandoned", "active", 1],
      ["deferred", "deferred", 1],
      ["fresh", "active", 0],
      ["scheduled", "scheduled", 0],
    ],
  );
  await second.createSender("q").cancelScheduledMessages(scheduled!);
  const [message] = await again.receiveDeferredMessages(deferred!.sequenceNumber!);
  assert.equal(message?.body, "deferred");
  const [deadLetter] = await receive(second.createReceiver("q", { subQueueType: "deadLetter" }), 1);
  assert.deepEqual(
    [deadLetter?.body, deadLetter?.deadLetterReason, deadLetter?.deadLetterSource],
    ["dead", "reason", "q"],
  );
  await second.createSender("once").sendMessages([
    { body: "repeated", messageId: "a" },
    { body: "new", messageId: "b" },
  ]);
  assert.deepEqual(
    (await receive(second.createReceiver("once"), 2)).map(({ body }) => body),
    ["only one", "new"],
  );
  const event = await receiveOne(second.createReceiver("t", "s"));
  assert.deepEqual([event.messageId, event.applicationProperties], ["e", { kept: true }]);
  // Numbers go on where they were: 1 to 6 were sent, 7 was scheduled.
  await second.createSender("q").sendMessages({ body: "next" });
  const numbers = (await receive(again, 4)).map(({ sequenceNumber }) => sequenceNumber?.toNumber());
  assert.equal(numbers.at(-1), 8);
});

test("no confirmed send is lost when the process is killed under load", async (t) => {
  const options = { config: CONFIG, keys: KEYS, data: await dataFile(t) };
  const confirmed = new Set<number>();
  let next = 0;
  for (let kill = 0; kill < 2; kill += 1) {
    const emulator = await startProcess(t, options);
    // A send that the kill cuts off is over for the SDK only when its operation times out.
    const client = connect(t, emulator.connectionString, { retryOptions: { maxRetries: 0, timeoutInMs: 1500 } });
    const sender = client.createSender("q");
    const enough = confirmed.size + 300;
    const { promise: loaded, resolve } = Promise.withResolvers<void>();
    const sendUntilDead = async () => {
      for (;;) {
        const body = next;
        next += 1;
        await sender.sendMessages({ body });
        confirmed.add(body);
        if (confirmed.size >= enough) resolve();
      }
    };
    const senders = Array.from({ length: 20 }, () => sendUntilDead().catch(() => {}));
    await loaded;
    await emulator.kill();
    await Promise.all(senders);
  }

  const emulator = await startProcess(t, options);
  const receiver = connect(t, emulator.connectionString).createReceiver("q", { receiveMode: "receiveAndDelete" });
  const found: number[] = [];
  const missing = new Set(confirmed);
  while (missing.size > 0) {
    const messages = await receiver.receiveMessages(200, { maxWaitTimeInMs: 1000 });
    if (messages.length === 0) break;
    for (const { body } of messages) {
      found.push(body);
      missing.delete(body);
    }
  }
  assert.deepEqual([...missing], []);
  assert.ok(confirmed.size >= 600);
  assert.equal(new Set(found).size, found.length, "none came twice");
});
