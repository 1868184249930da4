/** Messages that are no doorbells: they end in the dead-letter queue, each as it was sent, and hold nothing up. */
import assert from "node:assert/strict";
import { ServiceBusClient } from "@azure/service-bus";
import { TENANT } from "../../stack/start.ts";
import { observe } from "./observe.ts";
import { outcomeFaults } from "./outcome.ts";
import { FEW, type Rig } from "./rig.ts";

const QUEUE = "slices";
/** Text that is no JSON, a later version, an address that is none, another application's event, and nothing. */
const FOREIGN: readonly unknown[] = [
  "{ this is not JSON",
  { v: 2, tenant: TENANT, pull: "next", run: "1700000000000-00000000" },
  { v: 1, tenant: "../other", pull: "next", run: "x" },
  { specversion: "1.0", type: "com.example.order", data: { id: 1 } },
  "",
];
const WITHIN_MS = 60_000;

/** @returns what came to the dead-letter queue instead of being worked on. */
export async function foreignMessages(rig: Rig): Promise<unknown[]> {
  const client = new ServiceBusClient(rig.bus.connectionString);
  try {
    const sender = client.createSender(QUEUE);
    await sender.sendMessages(FOREIGN.map((body) => ({ body })));
    const seen = await observe(rig, "next");
    const expected = { end: "published", sessions: ["ok"], rows: FEW, secrets: [rig.mark, rig.password] } as const;
    assert.deepEqual(outcomeFaults(seen, expected), []);
    return await deadLetters(client);
  } finally {
    await client.close();
  }
}

export const FOREIGN_MESSAGES: readonly string[] = FOREIGN.map((body) => JSON.stringify(body)).sort();

/** As many as were sent, or fewer when no more come in time. */
async function deadLetters(client: ServiceBusClient): Promise<unknown[]> {
  const receiver = client.createReceiver(QUEUE, { subQueueType: "deadLetter", receiveMode: "receiveAndDelete" });
  const found: unknown[] = [];
  const endMs = performance.now() + WITHIN_MS;
  while (found.length < FOREIGN.length && performance.now() < endMs) {
    const maxWaitTimeInMs = Math.max(1000, endMs - performance.now());
    for (const { body } of await receiver.receiveMessages(FOREIGN.length - found.length, { maxWaitTimeInMs }))
      found.push(body);
  }
  return found;
}
