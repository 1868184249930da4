/** Routes of API keys, and of the schedule. */
import { keyRotation, newKey } from "@sallyport/shared/schema/api.ts";
import { createdKey, keyView, revokedKey, rotatedKey, tickAnswer } from "@sallyport/shared/schema/api-views.ts";
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
    does: "What the timers do: what is due, a part of the slow re-index, canaries, and what has expired.",
    answer: tickAnswer,
  },
} as const satisfies Record<string, GuardedRoute>;
