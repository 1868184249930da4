import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import rhea from "rhea";
import { BATCH_FORMAT } from "../wire/batch.ts";
import { MAX_MESSAGE_BYTES } from "../wire/incoming.ts";
import { encodeSection, SECTION } from "../wire/sections.ts";
import { dialWithToken } from "./dial.ts";
import { bodiesIn, open, receive, receiveOne } from "./open.ts";

const correlation = (filter: object, Name = "r") => [
  { Name, Properties: { FilterType: "Correlation" as const, CorrelationFilter: filter } },
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
          { Name: "either", Rules: [...correlation({ MessageId: "2" }), ...correlation({ CorrelationId: "c" }, "c")] },
          { Name: "both", Rules: [...sql("1=1"), ...correlation({ Label: "run" }, "l")] },
        ],
      },
    ],
  });
  await client.createSender("events").sendMessages([
    { body: 1, subject: "run", messageId: "1", correlationId: "c" },
    { body: 2, subject: "agent", messageId: "2" },
    { body: 3, subject: "run", messageId: "3", applicationProperties: { failed: true, attempts: 3 } },
  ]);
  const expected = {
    default: [1, 2, 3],
    all: [1, 2, 3],
    none: [],
    runs: [1, 3],
    failed: [3],
    either: [1, 2],
    both: [1, 2, 3],
  };
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

test("SQL filters look at both kinds of properties, as the client encodes them", async (t) => {
  const filters = {
    large: "quantity >= 10 AND price < 2.5",
    urgent: "urgent = TRUE",
    named: "sys.Label LIKE 'run-%' AND sys.MessageId <> '3' AND sys.SessionId IS NULL",
    unknown: "missing <> 1",
    known: "EXISTS(quantity)",
    late: "at IS NOT NULL AND note IS NULL",
  };
  const Subscriptions = Object.entries(filters).map(([Name, expression]) => ({ Name, Rules: sql(expression) }));
  const { bus, client } = await open(t, { Topics: [{ Name: "events", Subscriptions }] });
  await client.createSender("events").sendMessages([
    { body: 1, messageId: "1", subject: "run-1", applicationProperties: { quantity: 10, price: 1.5, urgent: true } },
    { body: 2, messageId: "2", subject: "agent", applicationProperties: { quantity: 9, price: 1, urgent: false } },
    { body: 3, messageId: "3", subject: "run-3", applicationProperties: { QUANTITY: 11, Price: 3 } },
    { body: 4, messageId: "4", subject: "run-4", applicationProperties: { at: new Date(), note: null } },
  ]);
  const expected = { large: [1], urgent: [1], named: [1, 4], unknown: [], known: [1, 2, 3], late: [4] };
  for (const [subscription, bodies] of Object.entries(expected)) {
    assert.deepEqual(await bodiesIn(bus, `events/Subscriptions/${subscription}`), bodies, subscription);
  }
});

test("a message that no subscription wants is accepted and gone, as is one to a topic without any", async (t) => {
  const { bus, client } = await open(t, {
    Topics: [{ Name: "events", Subscriptions: [{ Name: "none", Rules: sql("1=0") }] }, { Name: "lonely" }],
  });
  await client.createSender("events").sendMessages({ body: 1 });
  await client.createSender("lonely").sendMessages({ body: 1 });
  assert.deepEqual(await bodiesIn(bus, "events/Subscriptions/none"), []);
});

test("what is sent to a topic is held to the size limit, scheduled or not", async (t) => {
  const { bus, client } = await open(t, { Topics: [{ Name: "events", Subscriptions: [{ Name: "s" }] }] });
  const sender = client.createSender("events");
  const body = Buffer.alloc(MAX_MESSAGE_BYTES);
  const later = new Date(Date.now() + 60_000);
  await assert.rejects(sender.sendMessages({ body }), { code: "MessageSizeExceeded" });
  await assert.rejects(sender.scheduleMessages({ body }, later), { code: "MessageSizeExceeded" });
  const fits = body.subarray(1000);
  await sender.sendMessages({ body: fits });
  assert.ok(fits.equals((await receiveOne(client.createReceiver("events", "s"))).body));
  assert.deepEqual(await bodiesIn(bus, "events"), [], "nothing was scheduled");
});

test("a batch with one broken message is refused whole, and the emulator goes on", async (t) => {
  const { bus, client } = await open(t, { Topics: [{ Name: "events", Subscriptions: [{ Name: "s" }] }] });
  const good = rhea.message.encode({ body: "good" } as never);
  const broken = Buffer.concat([
    encodeSection(SECTION.applicationProperties, rhea.types.wrap(null)),
    encodeSection(SECTION.value, rhea.types.wrap(null)),
  ]);
  const batch = rhea.message.encode({ body: rhea.message.data_sections([good, broken] as never) } as never);
  const link = await dialWithToken(t, bus, "events");
  const outcome = once(link, "rejected");
  link.send(batch, undefined, BATCH_FORMAT);
  const [{ delivery }] = await outcome;
  assert.equal(delivery.remote_state.error.condition, "amqp:decode-error");
  await client.createSender("events").sendMessages({ body: "after" });
  assert.deepEqual(await bodiesIn(bus, "events/Subscriptions/s"), ["after"]);
});

test("a scheduled message is fanned out when it is due, unless it was cancelled", async (t) => {
  const { bus, client } = await open(t, {
    Topics: [{ Name: "events", Subscriptions: [{ Name: "a" }, { Name: "b", Rules: correlation({ Label: "run" }) }] }],
  });
  const sender = client.createSender("events");
  const due = new Date(Date.now() + 1000);
  const messages = [{ body: 1, subject: "run" }, { body: 2 }, { body: 3, subject: "run" }];
  const numbers = await sender.scheduleMessages(messages, due);
  await sender.cancelScheduledMessages(numbers[2]!);
  await assert.rejects(sender.cancelScheduledMessages(numbers[2]!), { code: "MessageNotFound" });
  const [one, two] = await receive(client.createReceiver("events", "a"), 2);
  assert.ok(Date.now() >= due.getTime());
  assert.deepEqual([one?.body, two?.body], [1, 2]);
  assert.deepEqual(await bodiesIn(bus, "events/Subscriptions/b"), [1]);
  await assert.rejects(sender.cancelScheduledMessages(numbers[0]!), { code: "MessageNotFound" }, "it has arrived");
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
  // The SDK has no code of its own for amqp:not-allowed, but a name.
  const notAllowed = (message: string) => ({ message: new RegExp(`InvalidOperationError: .*${message}`) });
  await assert.rejects(client.createReceiver("t").receiveMessages(1), notAllowed("is a topic"));
  for (const address of ["t/Subscriptions/s", "t/Subscriptions/s/$DeadLetterQueue", "q/$DeadLetterQueue"]) {
    const sender = client.createSender(address);
    const later = new Date(Date.now() + 60_000);
    await assert.rejects(sender.sendMessages({ body: 1 }), notAllowed("Nothing can be sent"), address);
    await assert.rejects(sender.scheduleMessages({ body: 1 }, later), notAllowed("Nothing can be sent"), address);
  }
});

test("a subscription or a topic that is not configured is not found", async (t) => {
  const { client } = await open(t, { Topics: [{ Name: "t", Subscriptions: [{ Name: "s" }] }] });
  const notFound = { code: "MessagingEntityNotFound" };
  await assert.rejects(client.createReceiver("t", "other").receiveMessages(1), notFound);
  await assert.rejects(client.createReceiver("other", "s").receiveMessages(1), notFound);
  await assert.rejects(client.createReceiver("t/s").receiveMessages(1), notFound);
  await assert.rejects(client.createSender("other").sendMessages({ body: 1 }), notFound);
});

test("what is not emulated says so", async (t) => {
  const { client } = await open(t, { Topics: [{ Name: "t", Subscriptions: [{ Name: "s" }] }] });
  const rules = client.createRuleManager("t", "s");
  await assert.rejects(rules.deleteRule("r"), /remove-rule is not emulated/);
});
