/** Answers of the HTTP API that people and their programs read (`/api/v1`). */
import { z } from "zod";
import { updateReport } from "../release/manifest.ts";
import { newConnection, pullView, quotas, restriction, scope } from "./api.ts";
import { nameId, randomId } from "./ids.ts";

const time = z.string();

/** Tenants and sites alike. */
export const named = z.object({ id: nameId, name: z.string() });

/** A pull, connection or site that was removed. */
export const removed = z.object({ id: nameId, removedAt: time });

export const tenantView = z.object({
  ...named.shape,
  quotas,
  /** How much of its quotas the tenant uses. */
  used: quotas,
  createdAt: time,
  /** When it was offboarded: nothing new is made for it, and none of its keys or agents work. */
  closedAt: time.nullable(),
});
export type TenantView = z.infer<typeof tenantView>;

const journalHead = z.object({ seq: z.int(), hash: z.string() }).nullable();

export const agentView = z.object({
  id: randomId,
  status: z.enum(["pending", "active", "revoked"]),
  /** To be compared with what `sallyport status` shows on the agent's machine. */
  fingerprint: z.string(),
  host: z.string(),
  version: z.string(),
  enrolledAt: time,
  seenAt: time.nullable(),
  /** Digest of its policy. */
  policy: z.string().nullable(),
  locked: z.boolean(),
  draining: z.boolean(),
  /** Since when the platform team sends it no new sessions; null: it does. */
  drainedAt: time.nullable(),
  /** Sessions that it serves at once; null while it has not said. */
  maxSessions: z.int().nullable(),
  /** When a session or a canary last succeeded, and when a canary did. */
  reachedAt: time.nullable(),
  canaryAt: time.nullable(),
  /** Why the newest canary was not answered; null when it was, or is under way. */
  canaryCode: z.string().nullable(),
  /** What its owner allows of updates, and how the last one ended; null where it is not updated from here. */
  updates: updateReport.nullable().default(null),
  /** The line of its journal that is known here: `sallyport journal verify --head` holds the journal against it. */
  journal: journalHead,
  /** When its journal was found cut or written anew, until a person approves the agent again. */
  journalAlert: z.object({ at: time, known: journalHead, told: journalHead }).nullable(),
  /** When it was revoked because nothing had been heard of it for long. */
  retiredAt: time.nullable(),
  /** What it pinned at its enrolment, and would have to enrol again to change. */
  pinned: z.object({ origin: z.string(), relayHost: z.string() }).nullable(),
});
export type AgentView = z.infer<typeof agentView>;

export const createdCode = z.object({ code: z.string(), expiresAt: time });

export const createdConnection = z.object(newConnection.shape);
export const listedConnection = z.object({ ...newConnection.shape, hasCredential: z.boolean() });
export const storedCredential = z.object({ connection: nameId, storedAt: time });

export const keyView = z.object({
  id: nameId,
  tenant: nameId.nullable(),
  scopes: z.array(scope),
  only: restriction.nullable(),
  expiresAt: time.nullable(),
  revokedAt: time.nullable(),
  /** To the hour. */
  lastUsedAt: time.nullable(),
  /** Until when the secret before the newest one works, too. */
  overlapUntil: time.nullable(),
});
export type KeyView = z.infer<typeof keyView>;
export const createdKey = z.object({ id: nameId, key: z.string() });
export const rotatedKey = z.object({ id: nameId, key: z.string(), overlapUntil: time.nullable() });
export const revokedKey = z.object({ id: nameId, revokedAt: time });

export const listedPull = pullView.pick({ id: true, revision: true, definition: true });
export const putPullAnswer = z.object({
  id: nameId,
  created: z.boolean(),
  revision: z.int(),
  /** What it reads has changed: it starts again, and its next manifest replaces all before it. */
  reset: z.boolean(),
});
export const cancelAnswer = z.object({ answer: z.enum(["cancelled", "asked", "ended"]) });

export const tickAnswer = z.object({
  entries: z.int(),
  pulls: z.int(),
  failed: z.int(),
  /** Requests by hand that nobody worked on, and that were rung for; null where that could not be done now. */
  rung: z.int().nullable(),
  reindexed: z.int(),
  canaries: z.object({ agents: z.int(), sent: z.int(), answered: z.int() }),
  /** Agents that were looked at, and how many events that made. */
  watched: z.object({ agents: z.int(), told: z.int() }),
  /** Lines of webhooks that were rung for. */
  deliveries: z.object({ lanes: z.int() }),
  /** What has expired and is gone: agents retired, and rows deleted. */
  swept: z.object({ agents: z.int(), rows: z.int() }),
});

/** Everything that is stored of a tenant but secrets and results. */
export const tenantExport = z.object({
  exportedAt: time,
  tenant: tenantView,
  sites: z.array(z.object({ ...named.shape, agents: z.array(agentView) })),
  connections: z.array(listedConnection),
  pulls: z.array(pullView),
  keys: z.array(keyView),
});
export type TenantExport = z.infer<typeof tenantExport>;

/** What a call to end a tenant has found and ended; `done` when there is nothing left to end. */
export const offboarded = z.object({
  closedAt: time,
  keys: z.int(),
  pulls: z.int(),
  agents: z.int(),
  credentials: z.int(),
  results: z.int(),
  done: z.boolean(),
});
export type Offboarded = z.infer<typeof offboarded>;

/** A change by somebody: what was called, on what, and how it ended. Never what was in it. */
export const auditView = z.object({
  id: z.string(),
  at: time,
  /** `key:{id}` of an API key, `app:{object id}` of an Entra identity. */
  who: z.string(),
  /** Name of the route, as operationId in the API's description. */
  what: z.string(),
  tenant: nameId.nullable(),
  /** The parts of the address, and ids and switches that the body named. */
  on: z.record(z.string(), z.string()),
  /** `done`, or the code of the error; null where the process died or the answer is still to come. */
  outcome: z.string().nullable(),
});
export type AuditView = z.infer<typeof auditView>;
