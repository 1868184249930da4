/** Events as consumers get them (CloudEvents 1.0), and the bodies and answers of the routes about webhooks. */
import { z } from "zod";
import { nameId } from "./ids.ts";

/** Everything that is told. A consumer ignores a type that it does not know: more may come. */
export const eventType = z.enum([
  "sallyport.run.published",
  "sallyport.run.failed",
  "sallyport.run.cancelled",
  "sallyport.run.superseded",
  "sallyport.pull.stale",
  "sallyport.pull.fresh",
  "sallyport.agent.pending",
  "sallyport.agent.approved",
  "sallyport.agent.connected",
  "sallyport.agent.silent",
  "sallyport.agent.revoked",
  "sallyport.agent.journal-altered",
  "sallyport.webhook.test",
]);
export type EventType = z.infer<typeof eventType>;

/**
 * Structured JSON of CloudEvents 1.0 (https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/spec.md). `source` and
 * `id` together name an event for ever: a repeat carries the same.
 */
export const cloudEvent = z.object({
  specversion: z.literal("1.0"),
  id: z.string().min(1).max(200),
  source: z.url(),
  type: eventType,
  /** `pulls/{pull}`, `agents/{agent}`, `webhooks/{webhook}`: what is in order. */
  subject: z.string().max(100),
  time: z.iso.datetime(),
  datacontenttype: z.literal("application/json"),
  data: z.record(z.string(), z.unknown()),
});
export type CloudEvent = z.infer<typeof cloudEvent>;

/** https only, an origin with a path; whether its addresses may be called is asked when it is stored and at each delivery. */
const webhookUrl = z
  .url({ protocol: /^https$/ })
  .max(2000)
  .refine((text) => {
    const { username, password, hash } = new URL(text);
    return username === "" && password === "" && hash === "";
  }, "takes no login and no fragment");

export const newWebhook = z.strictObject({
  id: nameId,
  url: webhookUrl,
  /** Left out: all types, those to come included. */
  types: z.array(eventType).min(1).max(32).optional(),
});
export type NewWebhook = z.infer<typeof newWebhook>;

/** The secret before signs as well until `overlapSeconds` have passed: 0 ends it at once. */
export const secretOverlap = z.strictObject({
  overlapSeconds: z
    .int()
    .min(0)
    .max(7 * 86_400)
    .default(86_400),
});
/** Nothing, too, is a body. */
export const newWebhookSecret = z.preprocess((body) => body ?? {}, secretOverlap);

/** `code` of errors.ts, and what the receiver did, in words. */
export const deliveryFailure = z.object({ code: z.string(), detail: z.string(), at: z.string() });
export type DeliveryFailure = z.infer<typeof deliveryFailure>;

export const webhookView = z.object({
  id: nameId,
  url: z.string(),
  types: z.array(eventType).nullable(),
  createdAt: z.string(),
  /** Since when deliveries fail, and why the last one did; null while they succeed. */
  failing: z.object({ since: z.string(), last: deliveryFailure }).nullable(),
});
export type WebhookView = z.infer<typeof webhookView>;

/** The secret stands in these answers only. */
export const createdWebhook = webhookView.extend({ secret: z.string() });
export const rotatedWebhook = z.object({ id: nameId, secret: z.string(), previousUntil: z.string() });
export const testedWebhook = z.object({ event: z.string() });

/** As the list of events has it: as it was told. */
export const storedEvent = cloudEvent;

/** An event that was not delivered within a day: kept for 30 days, to be looked at and delivered once more. */
export const deadLetterView = z.object({
  /** Of the letter: `{what}.{name}.{number}`. */
  id: z.string().regex(/^(pulls|agents|webhooks)\.[a-z0-9-]{1,40}\.[0-9]{1,12}$/),
  webhook: nameId,
  event: cloudEvent,
  attempts: z.int(),
  deadAt: z.string(),
  failure: deliveryFailure,
});
export type DeadLetterView = z.infer<typeof deadLetterView>;

export const replayed = z.object({ replayed: z.int() });
