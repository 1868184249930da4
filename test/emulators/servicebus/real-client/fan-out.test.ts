import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import type { ServiceBusClient } from "@azure/service-bus";
import { startServiceBus } from "../start.ts";
import { dataFile } from "./data-file.ts";
import { atEnd, bodiesIn, configOf, connect, KEYS, receive, receiveOne } from "./open.ts";
import { type EmulatorProcess, startProcess } from "./process.ts";

const HOUR_MS = 3_600_000;
const rule = (Properties: object) => [{ Name: "r", Properties: Properties as never }];
/** Each number reaches "all" and one of the two others. */
const CONFIG = configOf({
  Topics: [
    {
      Name: "t",
      Properties: { RequiresDuplicateDetection: true },
      Subscriptions: [
        { Name: "all" },
        { Name: "even", Rules: rule({ FilterType: "Sql", SqlFilter: { SqlExpression: "parity = 'even'" } }) },
        {
          Name: "odd",
          Rules: rule({ FilterType: "Correlation", CorrelationFilter: { Properties: { parity: "odd" } } }),
        },
      ],
    },
  ],
});

const messageOf = (body: number) => ({
  body,
  messageId: `m${body}`,
  applicationProperties: { parity: body % 2 === 0 ? "even" : "odd" },
});

/** One life of an emulator in this process, which ends with the work, whatever comes of it. */
async function withEmulator<T>(
  t: TestContext,
  data: string,
  work: (client: ServiceBusClient) => Promise<T>,
): Promise<T> {
  const bus = await startServiceBus({ config: CONFIG, keys: KEYS, data });
  const client = connect(t, bus.connectionString);
  try {
    return await work(client);
  } finally {
    await client.close();
    await bus.close();
  }
}

test("a restart finds each subscription as it was left, and numbers that go on", async (t) => {
  const data = await dataFile(t);
  const scheduled = await withEmulator(t, data, async (first) => {
    const sender = first.createSender("t");
    await sender.sendMessages([0, 1, 2, 3].map(messageOf));
    const [number] = await sender.scheduleMessages([messageOf(4)], new Date(Date.now() + HOUR_MS));
    const all = first.createReceiver("t", "all");
    const [completed, deferred, dead] = await receive(all, 3);
    await all.completeMessage(completed!);
    await all.deferMessage(deferred!);
    await all.deadLetterMessage(dead!, { deadLetterReason: "reason", deadLetterErrorDescription: "why" });
    const even = first.createReceiver("t", "even");
    await even.abandonMessage(await receiveOne(even), { seen: true });
    return number!;
  });

  const after = await startServiceBus({ config: CONFIG, keys: KEYS, data });
  atEnd(t, () => after.close());
  const second = connect(t, after.connectionString);
  const again = second.createReceiver("t", "all");
  assert.deepEqual(
    (await again.peekMessages(10)).map(({ body, state }) => [body, state]),
    [
      [1, "deferred"],
      [3, "active"],
    ],
  );
  assert.deepEqual(await bodiesIn(after, "t/Subscriptions/odd"), [1, 3]);
  const kept = await receiveOne(second.createReceiver("t", "even"));
  assert.deepEqual([kept.body, kept.deliveryCount, kept.applicationProperties?.seen], [0, 1, true]);
  const letter = await receiveOne(second.createReceiver("t", "all", { subQueueType: "deadLetter" }));
  assert.deepEqual(
    [letter.body, letter.deadLetterReason, letter.deadLetterSource],
    [2, "reason", "t/Subscriptions/all"],
  );
  const publisher = second.createSender("t");
  await publisher.cancelScheduledMessages(scheduled);
  await publisher.sendMessages([messageOf(1), messageOf(5)]);
  const [, latest] = await receive(again, 2);
  // 1 to 4 were sent, 5 was scheduled, and the repeated one was remembered across the restart.
  assert.deepEqual([latest?.body, latest?.sequenceNumber?.toNumber()], [5, 6]);
});

test("what cannot be stored in one subscription is stored in none, and its sender is told", async (t) => {
  const data = await dataFile(t);
  await withEmulator(t, data, async (client) => {
    const sender = client.createSender("t");
    await sender.sendMessages(messageOf(1));
    const database = new DatabaseSync(data);
    atEnd(t, () => database.isOpen && database.close());
    database.exec(`CREATE TRIGGER full BEFORE INSERT ON messages WHEN NEW.entity = 't/Subscriptions/odd'
    BEGIN SELECT RAISE(ABORT, 'no room'); END`);
    await assert.rejects(sender.sendMessages(messageOf(3)), /no room/);
    database.exec("DROP TRIGGER full");
    database.close();
  });

  const after = await startServiceBus({ config: CONFIG, keys: KEYS, data });
  atEnd(t, () => after.close());
  for (const subscription of ["all", "odd"]) {
    assert.deepEqual(await bodiesIn(after, `t/Subscriptions/${subscription}`), [1], subscription);
  }
});

/** Bodies of the even and the odd message that end each count. */
const LAST = [-2, -1];
const KILLS = 3;
const PUBLISHERS = 20;
/** Between a start and its kill. */
const PUBLISHED_A_LIFE = 250;
const COMPLETED_A_LIFE = 50;
const OPERATION_MS = 1500;

/** What the emulator has confirmed so far, and what it has handed out. */
type Books = { next: number; published: Set<number>; completed: Set<number>; seen: Set<number> };

test("killed under load, a publish is in all of its subscriptions or in none, and a confirmed one in all", async (t) => {
  const options = { config: CONFIG, keys: KEYS, data: await dataFile(t) };
  const books: Books = { next: 0, published: new Set(), completed: new Set(), seen: new Set() };
  for (let kill = 0; kill < KILLS; kill += 1) await killUnderLoad(t, await startProcess(t, options), books);

  const emulator = await startProcess(t, options);
  const client = connect(t, emulator.connectionString);
  // Due after everything that is still scheduled, and so the last of each subscription.
  await client.createSender("t").scheduleMessages(LAST.map(messageOf), new Date(Date.now() + 500));
  const all = await drain(client, "all", LAST);
  const [even, odd] = [await drain(client, "even", [-2]), await drain(client, "odd", [-1])];
  for (const found of [all, even, odd]) assert.equal(new Set(found).size, found.length, "a copy came twice");
  assert.deepEqual([even.filter(isOdd), odd.filter((body) => !isOdd(body))], [[], []]);
  const parts = new Set([...even, ...odd]);
  const missing = (there: Set<number>) => [...books.published].filter((body) => !there.has(body));
  assert.deepEqual(missing(parts), [], "confirmed, and lost in one of the two");
  assert.deepEqual(missing(new Set([...all, ...books.seen])), [], "confirmed, and lost in all");
  assert.deepEqual(
    all.filter((body) => books.completed.has(body)),
    [],
    "completed, and came again",
  );
  assert.deepEqual(
    all.filter((body) => !parts.has(body)),
    [],
    "in all, but in none of the two",
  );
  assert.deepEqual(
    [...parts].filter((body) => !all.includes(body) && !books.seen.has(body)),
    [],
    "in one of the two, but not in all",
  );
});

const isOdd = (body: number) => body % 2 !== 0;

async function killUnderLoad(t: TestContext, emulator: EmulatorProcess, books: Books): Promise<void> {
  // What a kill cuts off is over for the SDK only when its operation times out.
  const retryOptions = { maxRetries: 0, timeoutInMs: OPERATION_MS };
  const client = connect(t, emulator.connectionString, { retryOptions });
  const enough = books.published.size + PUBLISHED_A_LIFE;
  const enoughCompleted = books.completed.size + COMPLETED_A_LIFE;
  const { promise: loaded, resolve } = Promise.withResolvers<void>();
  const look = () => {
    if (books.published.size >= enough && books.completed.size >= enoughCompleted) resolve();
  };
  const sender = client.createSender("t");
  const publish = async () => {
    for (;;) {
      const body = books.next;
      books.next += 1;
      // Every fifth takes the way over the schedule, where the fan-out is nobody's request.
      if (body % 5 === 0) await sender.scheduleMessages(messageOf(body), new Date(Date.now() + 50));
      else await sender.sendMessages(messageOf(body));
      books.published.add(body);
      look();
    }
  };
  const receiver = client.createReceiver("t", "all");
  const complete = async () => {
    for (;;) {
      for (const message of await receiver.receiveMessages(20, { maxWaitTimeInMs: OPERATION_MS })) {
        books.seen.add(message.body);
        await receiver.completeMessage(message);
        books.completed.add(message.body);
        look();
      }
    }
  };
  const work = [...Array.from({ length: PUBLISHERS }, publish), complete()].map((each) => each.catch(() => {}));
  await loaded;
  await emulator.kill();
  await Promise.all(work);
}

/** Takes everything out of a subscription, up to what is known to be last. */
async function drain(client: ServiceBusClient, subscription: string, last: readonly number[]): Promise<number[]> {
  const receiver = client.createReceiver("t", subscription, { receiveMode: "receiveAndDelete" });
  const found: number[] = [];
  while (!last.every((body) => found.includes(body))) {
    // In this mode the SDK waits as long as it may for a full count.
    const messages = await receiver.receiveMessages(500, { maxWaitTimeInMs: 1000 });
    found.push(...messages.map(({ body }) => body as number));
  }
  return found.filter((body) => !last.includes(body));
}
