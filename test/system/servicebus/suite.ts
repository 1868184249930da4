/** The Service Bus emulator, killed under load: the doorbells of a run may be lost to nobody's doing but ours. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ServiceBusClient } from "@azure/service-bus";
import { type Child, startChild } from "../../stack/children.ts";
import type { Suite } from "../suite.ts";

const MAIN = fileURLToPath(new URL("../../emulators/servicebus/main.ts", import.meta.url));
const BACKLOG = 5000;
const KILLS = 4;
/** Confirmed sends, and completed messages, between a start and its kill. */
const SENDS_A_LIFE = 250;
const COMPLETIONS_A_LIFE = 100;
const SENDERS = 20;
const BATCH = 250;
const OPERATION_MS = 1500;
const EMPTY_MS = 1500;

export const servicebus: Suite = {
  name: "servicebus",
  about: "the Service Bus emulator with a large backlog, killed again and again under load",
  async run(check) {
    const folder = mkdtempSync(join(tmpdir(), "sallyport-servicebus-"));
    try {
      const books: Books = { next: 0, confirmed: new Set(), completed: new Set() };
      const start = (data = join(folder, "data.sqlite")) => startBus(data, join(folder, "log"));
      await check(`${BACKLOG} messages are sent`, () => sendBacklog(start, books));
      await check(`SIGKILL ${KILLS} times while ${SENDERS} senders and a receiver work`, async () => {
        for (let kill = 0; kill < KILLS; kill += 1) await killUnderLoad(start, books);
        assert.ok(books.confirmed.size >= BACKLOG + KILLS * SENDS_A_LIFE);
        assert.ok(books.completed.size >= KILLS * COMPLETIONS_A_LIFE);
      });
      await check("no confirmed message is lost, none that was completed comes again, none comes twice", async () => {
        const found = await drain(start);
        assert.equal(new Set(found).size, found.length, "a message came twice");
        assert.deepEqual(lost(books, found), []);
        assert.deepEqual(
          found.filter((body) => books.completed.has(body)),
          [],
          "a completed message came again",
        );
      });
      await check("counter-example: the same without a file loses messages, and it shows", async () => {
        const forgetful: Books = { next: 0, confirmed: new Set(), completed: new Set() };
        const startForgetful = () => startBus(undefined, join(folder, "log"));
        await killUnderLoad(startForgetful, forgetful);
        assert.ok(lost(forgetful, await drain(startForgetful)).length > 0);
      });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

/** What the emulator has said so far; bodies are numbers from 0. */
interface Books {
  next: number;
  readonly confirmed: Set<number>;
  readonly completed: Set<number>;
}

const lost = ({ confirmed, completed }: Books, found: readonly number[]): number[] => {
  const there = new Set(found);
  return [...confirmed].filter((body) => !there.has(body) && !completed.has(body));
};

interface Bus extends Child {
  readonly client: ServiceBusClient;
}

async function startBus(data: string | undefined, logFile: string): Promise<Bus> {
  const config = {
    UserConfig: { Namespaces: [{ Name: "test", Queues: [{ Name: "q", Properties: { MaxDeliveryCount: 10 } }] }] },
  };
  const keys = [{ name: "root", key: randomBytes(24).toString("base64") }];
  const input = JSON.stringify({ config, keys, ...(data === undefined ? {} : { data }) });
  const child = startChild({ name: "Service Bus emulator", args: [MAIN], input, logFile });
  const { connectionString } = (await child.ready) as { connectionString: string };
  // What a kill cuts off is over for the SDK only when its operation times out.
  const retryOptions = { maxRetries: 0, timeoutInMs: OPERATION_MS };
  return { ...child, client: new ServiceBusClient(connectionString, { retryOptions }) };
}

/** The client first: one that loses its emulator does not close for minutes. */
async function stop(bus: Bus): Promise<void> {
  await bus.client.close();
  await bus.close();
}

async function sendBacklog(start: () => Promise<Bus>, books: Books): Promise<void> {
  const bus = await start();
  try {
    const sender = bus.client.createSender("q");
    while (books.next < BACKLOG) {
      const bodies = Array.from({ length: BATCH }, () => books.next++);
      await sender.sendMessages(bodies.map((body) => ({ body })));
      for (const body of bodies) books.confirmed.add(body);
    }
  } finally {
    await stop(bus);
  }
}

/** Starts it, lets it work until enough was confirmed, and kills it in the middle of everything. */
async function killUnderLoad(start: () => Promise<Bus>, books: Books): Promise<void> {
  const bus = await start();
  const enough = books.confirmed.size + SENDS_A_LIFE;
  const enoughCompleted = books.completed.size + COMPLETIONS_A_LIFE;
  const { promise: loaded, resolve } = Promise.withResolvers<void>();
  const look = () => {
    if (books.confirmed.size >= enough && books.completed.size >= enoughCompleted) resolve();
  };
  const sender = bus.client.createSender("q");
  const receiver = bus.client.createReceiver("q");
  const send = async () => {
    for (;;) {
      const body = books.next++;
      await sender.sendMessages({ body });
      books.confirmed.add(body);
      look();
    }
  };
  const complete = async () => {
    for (;;) {
      for (const message of await receiver.receiveMessages(20, { maxWaitTimeInMs: OPERATION_MS })) {
        await receiver.completeMessage(message);
        books.completed.add(message.body as number);
        look();
      }
    }
  };
  const working = [...Array.from({ length: SENDERS }, send), complete()].map((work) => work.catch(() => undefined));
  await Promise.race([loaded, bus.ended]);
  bus.process.kill("SIGKILL");
  await bus.ended.catch(() => undefined);
  await Promise.all(working);
  await bus.client.close();
}

async function drain(start: () => Promise<Bus>): Promise<number[]> {
  const bus = await start();
  try {
    const receiver = bus.client.createReceiver("q", { receiveMode: "receiveAndDelete" });
    const found: number[] = [];
    for (;;) {
      const messages = await receiver.receiveMessages(500, { maxWaitTimeInMs: EMPTY_MS });
      if (messages.length === 0) return found;
      for (const { body } of messages) found.push(body as number);
    }
  } finally {
    await stop(bus);
  }
}
