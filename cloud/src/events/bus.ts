/** Service Bus: the topic that events go to, and the queue whose messages ring for lanes. */
import { createHash } from "node:crypto";
import type { ServiceBusSender } from "@azure/service-bus";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { nameId } from "@sallyport/shared/schema/ids.ts";
import { z } from "zod";
import type { LaneKey } from "../store/lanes.ts";
import type { Publish, RingLane } from "./emit.ts";

/** Service Bus's limit. */
const MAX_MESSAGE_ID = 128;

/**
 * The event as the body, structured (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/amqp-protocol-binding.md).
 * Its id is the message's, so that the topic's duplicate detection takes repeats away; `type`, `tenant` and `subject` are
 * there for the filters of subscriptions, and the subject as a session for those that want order.
 */
export const topicPublish =
  (sender: Pick<ServiceBusSender, "sendMessages">): Publish =>
  async (tenant, event) => {
    const id = `${tenant}/${event.id}`;
    await sender.sendMessages({
      body: Buffer.from(JSON.stringify(event)),
      contentType: "application/cloudevents+json; charset=utf-8",
      messageId: id.length <= MAX_MESSAGE_ID ? id : createHash("sha256").update(id).digest("base64url"),
      sessionId: `${tenant}/${event.subject}`,
      subject: event.type,
      applicationProperties: { type: event.type, tenant, subject: event.subject },
    });
  };

const laneBell = z.strictObject({
  v: z.literal(1),
  tenant: nameId,
  webhook: nameId,
  lane: z.string().regex(/^(pulls|agents|webhooks)\.[a-z0-9-]{1,40}$/),
});

/** Rings through a queue without duplicate detection, as the doorbells of runs do. */
export function queueRing(sender: Pick<ServiceBusSender, "sendMessages" | "scheduleMessages">): RingLane {
  return async ({ tenant, webhook, lane }, atMs) => {
    const message = { body: { v: 1, tenant, webhook, lane }, contentType: "application/json" };
    if (atMs === undefined || atMs <= Date.now()) await sender.sendMessages(message);
    else await sender.scheduleMessages(message, new Date(atMs));
  };
}

/** Throws `queue.unparseable` for a foreign message, which so ends in the dead-letter queue. */
export function parseLaneBell(body: unknown): LaneKey {
  const parsed = laneBell.safeParse(body);
  if (!parsed.success) throw new SallyportError("queue.unparseable", "A message in the queue is no doorbell.");
  const { tenant, webhook, lane } = parsed.data;
  return { tenant, webhook, lane };
}
