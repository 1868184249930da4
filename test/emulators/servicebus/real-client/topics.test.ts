import assert from "node:assert/strict";
import { test } from "node:test";
import { bodiesIn, open, receiveOne } from "./open.ts";

const correlation = (filter: object) => [
  { Name: "r", Properties: { FilterType: "Correlation" as const, CorrelationFilter: filter } },
];
const sql = (SqlExpression: string) => [
  { Name: "r", Properties: { FilterType: "Sql" as const, SqlFilter: { SqlExpression } } },
];

test("each subscription gets what its rules select", async (t) => {
  const { bus, client } = await open(t, {
    Topics: [
      {
        Name: "events",
        Subscriptions: [
          { Name: "default" },
          { Name: "all", Rules: sql("1=1") },
          { Name: "none", Rules: sql("1=0") },
          { Name: "runs", Rules: correlation({ Label: "run" }) },
          { Name: "failed", Rules: correlation({ Label: "run", Properties: { failed: true, attempts: 3 } }) },
          { Name: "either", Rules: [...correlation({ MessageId: "2" }), ...correlation({ CorrelationId: "c" })] },
        ],
      },
    ],
  });
  await client.createSender("events").sendMessages([
    { body: 1, subject: "run", messageId: "1", correlationId: "c" },
    { body: 2, subject: "agent", messageId: "2" },
    { body: 3, subject: "run", messageId: "3", applicationProperties: { failed: true, attempts: 3 } },
  ]);
  const expected = { default: [1, 2, 3], all: [1, 2, 3], none: [], runs: [1, 3], failed: [3], either: [1, 2] };
  for (const [subscription, bodies] of Object.entries(expected)) {
    assert.deepEqual(await bodiesIn(bus, `events/Subscriptions/${subscription}`), bodies, subscription);
  }
});

test("subscriptions are queues of their own, with dead letters of their own", async (t) => {
  const { bus, client } = await open(t, {
    Topics: [
      { Name: "events", Subscriptions: [{ Name: "one", Properties: { MaxDeliveryCount: 1 } }, { Name: "two" }] },
    ],
  });
  await client.createSender("events").sendMessages({ body: "event" });
  const one = client.createReceiver("events", "one");
  await one.abandonMessage(await receiveOne(one));
  const dead = await receiveOne(client.createReceiver("events", "one", { subQueueType: "deadLetter" }));
  assert.deepEqual(
    [dead.deadLetterReason, dead.deadLetterSource],
    ["MaxDeliveryCountExceeded", "events/Subscriptions/one"],
  );
  assert.deepEqual(await bodiesIn(bus, "events/Subscriptions/two"), ["event"]);
});

test("scheduling and duplicate detection are the topic's", async (t) => {
  const Properties = { RequiresDuplicateDetection: true };
  const { bus, client } = await open(t, { Topics: [{ Name: "events", Properties, Subscriptions: [{ Name: "s" }] }] });
  const sender = client.createSender("events");
  const later = new Date(Date.now() + 1500);
  await sender.scheduleMessages([{ body: "scheduled", messageId: "a" }], later);
  await sender.sendMessages({ body: "repeated", messageId: "a" });
  assert.deepEqual(await bodiesIn(bus, "events/Subscriptions/s"), []);
  assert.equal((await receiveOne(client.createReceiver("events", "s"))).body, "scheduled");
  assert.ok(Date.now() >= later.getTime());
});

test("a topic's time to live applies to its subscriptions", async (t) => {
  const Subscriptions = [{ Name: "s", Properties: { DeadLetteringOnMessageExpiration: true } }];
  const { client } = await open(t, {
    Topics: [{ Name: "events", Properties: { DefaultMessageTimeToLive: "PT0.05S" }, Subscriptions }],
  });
  await client.createSender("events").sendMessages({ body: 1, timeToLive: 60_000 });
  const dead = await receiveOne(client.createReceiver("events", "s", { subQueueType: "deadLetter" }));
  assert.equal(dead.deadLetterReason, "TTLExpiredException");
});

test("nothing is received from a topic, nor sent to a subscription or a dead-letter queue", async (t) => {
  const { client } = await open(t, {
    Queues: [{ Name: "q" }],
    Topics: [{ Name: "t", Subscriptions: [{ Name: "s" }] }],
  });
  await assert.rejects(client.createReceiver("t").receiveMessages(1), /is a topic/);
  await assert.rejects(client.createSender("t/Subscriptions/s").sendMessages({ body: 1 }), /Nothing can be sent/);
  await assert.rejects(client.createSender("q/$DeadLetterQueue").sendMessages({ body: 1 }), /Nothing can be sent/);
});

test("what is not emulated says so", async (t) => {
  const { client } = await open(t, { Topics: [{ Name: "t", Subscriptions: [{ Name: "s" }] }] });
  const rules = client.createRuleManager("t", "s");
  await assert.rejects(rules.deleteRule("r"), /remove-rule is not emulated/);
});
