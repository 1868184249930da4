/**
 * The doorbell: a message that says "look at this run", with ids only. It may come twice, late or never; the run record
 * is the authority, and the wake index rings again for what was lost.
 */
import type { ServiceBusSender } from "@azure/service-bus";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { nameId } from "@sallyport/shared/schema/ids.ts";
import { z } from "zod";

const doorbell = z.strictObject({
  v: z.literal(1),
  tenant: nameId,
  pull: nameId,
  run: z.string().regex(/^[0-9]{13}-[0-9a-f]{8}$/),
});
export type Doorbell = Pick<z.infer<typeof doorbell>, "tenant" | "pull" | "run">;

/** Rings once, not before `atMs` (now when left out). Throws when the queue does not answer. */
export type Ring = (bell: Doorbell, atMs?: number) => Promise<void>;

/** Rings through a Service Bus queue. Duplicate detection must be off on it: a re-ring would vanish in its window. */
export function serviceBusRing(sender: ServiceBusSender): Ring {
  return async ({ tenant, pull, run }, atMs) => {
    const message = { body: { v: 1, tenant, pull, run }, contentType: "application/json" };
    if (atMs === undefined || atMs <= Date.now()) await sender.sendMessages(message);
    else await sender.scheduleMessages(message, new Date(atMs));
  };
}

/** Reads a message. Throws `queue.unparseable` for a foreign one, which so ends in the dead-letter queue. */
export function parseDoorbell(body: unknown): Doorbell {
  const text = Buffer.isBuffer(body) ? body.toString("utf8") : body;
  let value: unknown = text;
  try {
    if (typeof text === "string") value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const parsed = doorbell.safeParse(value);
  if (!parsed.success) throw new SallyportError("queue.unparseable", "A message in the queue is no doorbell.");
  return parsed.data;
}
