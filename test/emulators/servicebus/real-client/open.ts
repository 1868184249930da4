import type { TestContext } from "node:test";
import {
  ServiceBusClient,
  type ServiceBusClientOptions,
  type ServiceBusReceivedMessage,
  type ServiceBusReceiver,
} from "@azure/service-bus";
import type { OfficialConfig } from "../config/official.ts";
import { type ServiceBus, type ServiceBusOptions, startServiceBus } from "../start.ts";

export const KEYS = [{ name: "root", key: "a key, with = and + in it" }];

type Namespace = OfficialConfig["UserConfig"]["Namespaces"][number];

/** A configuration with these queues and topics. */
export function configOf(entities: Omit<Namespace, "Name">): OfficialConfig {
  return { UserConfig: { Namespaces: [{ Name: "test", ...entities }] } };
}

/** An emulator for one test, with a client that gives up at the first error; both end with the test. */
export async function open(
  t: TestContext,
  entities: Omit<Namespace, "Name">,
  options: Partial<ServiceBusOptions> = {},
): Promise<{ bus: ServiceBus; client: ServiceBusClient }> {
  const bus = await startServiceBus({ config: configOf(entities), keys: KEYS, ...options });
  atEnd(t, () => bus.close());
  return { bus, client: connect(t, bus.connectionString) };
}

export function connect(
  t: TestContext,
  connectionString: string,
  options: ServiceBusClientOptions = {},
): ServiceBusClient {
  const client = new ServiceBusClient(connectionString, { retryOptions: { maxRetries: 0 }, ...options });
  atEnd(t, () => client.close());
  return client;
}

const endings = new WeakMap<TestContext, (() => unknown)[]>();

/** Runs when the test ends, last come first: an SDK client that loses its emulator first does not close for minutes. */
export function atEnd(t: TestContext, ending: () => unknown): void {
  const mine = endings.get(t) ?? [];
  if (mine.length === 0) {
    endings.set(t, mine);
    t.after(async () => {
      for (const end of mine.reverse()) await end();
    });
  }
  mine.push(ending);
}

/** Waits for exactly this many messages. */
export async function receive(receiver: ServiceBusReceiver, count: number): Promise<ServiceBusReceivedMessage[]> {
  const messages: ServiceBusReceivedMessage[] = [];
  while (messages.length < count) messages.push(...(await receiver.receiveMessages(count - messages.length)));
  return messages;
}

export async function receiveOne(receiver: ServiceBusReceiver): Promise<ServiceBusReceivedMessage> {
  return (await receive(receiver, 1))[0]!;
}

/** What is left in an entity, without touching it. By a client of its own, because the SDK's clients remember how far they peeked. */
export async function bodiesIn(bus: ServiceBus, entity: string): Promise<unknown[]> {
  const client = new ServiceBusClient(bus.connectionString);
  try {
    return (await client.createReceiver(entity).peekMessages(100)).map(({ body }) => body);
  } finally {
    await client.close();
  }
}
