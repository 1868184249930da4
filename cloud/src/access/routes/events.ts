/** Routes of events and webhooks. A restricted key sees none of them: they are of all of a tenant. */
import {
  createdWebhook,
  deadLetterView,
  newWebhook,
  newWebhookSecret,
  replayed,
  rotatedWebhook,
  secretOverlap,
  storedEvent,
  testedWebhook,
  webhookView,
} from "@sallyport/shared/schema/events.ts";
import { z } from "zod";
import type { GuardedRoute } from "./route.ts";

const TENANT = "v1/tenants/{tenant}";
const WEBHOOKS = `${TENANT}/webhooks`;
const WEBHOOK = `${WEBHOOKS}/{webhook}`;

export const EVENTS = {
  "events-list": {
    ...{ method: "GET", path: `${TENANT}/events`, scope: "events:read", about: "tenant", status: 200, list: true },
    does: "What was told of the tenant in the last 30 days, newest first.",
    answer: z.array(storedEvent),
  },
  "webhooks-add": {
    ...{ method: "POST", path: WEBHOOKS, scope: "webhooks:write", about: "tenant", status: 200, secret: true },
    does: "Makes a webhook: from then on events are sent to its URL. Its signing secret is shown once.",
    body: newWebhook,
    answer: createdWebhook,
  },
  "webhooks-list": {
    ...{ method: "GET", path: WEBHOOKS, scope: "events:read", about: "tenant", status: 200 },
    does: "A tenant's webhooks, by id, with why those that fail do; a tenant has at most 10.",
    answer: z.array(webhookView),
  },
  "webhooks-get": {
    ...{ method: "GET", path: WEBHOOK, scope: "events:read", about: "tenant", status: 200 },
    does: "A webhook, without its secret.",
    answer: webhookView,
  },
  "webhooks-rotate": {
    ...{
      method: "POST",
      path: `${WEBHOOK}/rotate`,
      scope: "webhooks:write",
      about: "tenant",
      status: 200,
      secret: true,
    },
    does: "Gives a webhook a new secret, shown once; the one before signs too for `overlapSeconds` (a day) more.",
    body: newWebhookSecret,
    bodyShape: secretOverlap,
    answer: rotatedWebhook,
  },
  "webhooks-test": {
    ...{ method: "POST", path: `${WEBHOOK}/test`, scope: "webhooks:write", about: "tenant", status: 200 },
    does: "Sends an event of type `sallyport.webhook.test` to this webhook only.",
    answer: testedWebhook,
  },
  "webhooks-remove": {
    ...{ method: "POST", path: `${WEBHOOK}/remove`, scope: "webhooks:write", about: "tenant", status: 200 },
    does: "Ends a webhook; what still waits for it is not sent.",
    answer: z.object({ id: z.string() }),
  },
  "dead-letters-list": {
    ...{ method: "GET", path: `${WEBHOOK}/dead-letters`, scope: "events:read", about: "tenant", status: 200 },
    does: "Events that were not delivered within a day, oldest first, at most 200; each is kept for 30 days.",
    answer: z.array(deadLetterView),
  },
  "dead-letters-replay": {
    ...{ method: "POST", path: `${WEBHOOK}/dead-letters/{letter}/replay`, scope: "webhooks:write" },
    ...{ about: "tenant", status: 200 },
    does: "Puts a dead letter back into its line, behind what waits there; it has another day.",
    answer: replayed,
  },
  "dead-letters-replay-all": {
    ...{
      method: "POST",
      path: `${WEBHOOK}/dead-letters/replay`,
      scope: "webhooks:write",
      about: "tenant",
      status: 200,
    },
    does: "The same for all that are listed.",
    answer: replayed,
  },
} as const satisfies Record<string, GuardedRoute>;
