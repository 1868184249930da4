/** Answers of the API that only people read; those that the product itself exchanges are in shared/src/schema/api.ts. */
import { newConnection, pullView, scope } from "@sallyport/shared/schema/api.ts";
import { nameId, randomId } from "@sallyport/shared/schema/ids.ts";
import { z } from "zod";
import type { KeyView } from "../access/keys.ts";
import type { AgentView } from "../agents/registry.ts";
import type { CancelAnswer } from "../pulls/cancel.ts";
import type { ListedPull } from "../pulls/views.ts";

const time = z.string();

/** Tenants and sites alike. */
export const named = z.object({ id: nameId, name: z.string() });

const journalHead = z.object({ seq: z.int(), hash: z.string() }).nullable();

export const agentView = z.object({
  id: randomId,
  status: z.enum(["pending", "active", "revoked"]),
  fingerprint: z.string(),
  host: z.string(),
  version: z.string(),
  enrolledAt: time,
  seenAt: time.nullable(),
  locked: z.boolean(),
  draining: z.boolean(),
  maxSessions: z.int().nullable(),
  reachedAt: time.nullable(),
  canaryAt: time.nullable(),
  canaryCode: z.string().nullable(),
  journal: journalHead,
  journalAlert: z.object({ at: time, known: journalHead, told: journalHead }).nullable(),
}) satisfies z.ZodType<AgentView>;

export const createdCode = z.object({ code: z.string(), expiresAt: time });

export const createdConnection = z.object(newConnection.shape);
export const listedConnection = z.object({ ...newConnection.shape, hasCredential: z.boolean() });
export const storedCredential = z.object({ connection: nameId, storedAt: time });

export const keyView = z.object({
  id: nameId,
  tenant: nameId.nullable(),
  scopes: z.array(scope),
  expiresAt: time.nullable(),
  revokedAt: time.nullable(),
}) satisfies z.ZodType<KeyView>;
export const createdKey = z.object({ id: nameId, key: z.string() });
export const revokedKey = z.object({ id: nameId, revokedAt: time });

export const listedPull = pullView.pick({ id: true, revision: true, definition: true }) satisfies z.ZodType<ListedPull>;
export const cancelAnswer = z.object({
  answer: z.enum(["cancelled", "asked", "ended"]) satisfies z.ZodType<CancelAnswer>,
});
