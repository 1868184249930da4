/** Routes of API keys, of the schedule, and of the orchestrator's health. */
import { keyRotation, newKey } from "@sallyport/shared/schema/api.ts";
import { createdKey, keyView, revokedKey, rotatedKey, tickAnswer } from "@sallyport/shared/schema/api-views.ts";
import { healthDetails } from "@sallyport/shared/schema/health.ts";
import { z } from "zod";
import type { GuardedRoute } from "./route.ts";

const KEY = "v1/keys/{key}";

export const KEYS = {
  "keys-add": {
    ...{ method: "POST", path: "v1/keys", scope: "keys:write", about: "platform", status: 200, secret: true },
    does: "Makes an API key, shown once. No key makes one that can do more than itself.",
    body: newKey,
    answer: createdKey,
  },
  "keys-list": {
    ...{ method: "GET", path: "v1/keys", scope: "keys:write", about: "platform", status: 200, list: true },
    does: "All API keys, by id, without their secrets.",
    answer: z.array(keyView),
  },
  "keys-rotate": {
    ...{ method: "POST", path: `${KEY}/rotate`, scope: "keys:write", about: "platform", status: 200, secret: true },
    does: "Gives a key a new secret, shown once; the one before works for `overlapSeconds` (a day) more.",
    body: keyRotation,
    answer: rotatedKey,
  },
  "keys-revoke": {
    ...{ method: "POST", path: `${KEY}/revoke`, scope: "keys:write", about: "platform", status: 200 },
    does: "Revokes a key at once, both of its secrets.",
    answer: revokedKey,
  },
  "schedule-tick": {
    ...{ method: "POST", path: "v1/schedule/tick", scope: "schedule:tick", about: "platform", status: 200 },
    does: "What the timers do: what is due, forgotten requests, a part of the slow re-index, canaries, and what has expired.",
    answer: tickAnswer,
  },
  "health-details": {
    ...{ method: "GET", path: "v1/health", scope: "sites:read", about: "platform", status: 200 },
    does: "What is wrong with the orchestrator, since when, and what to do; a check's answer is kept for up to a minute.",
    answer: healthDetails,
  },
} as const satisfies Record<string, GuardedRoute>;
