/** Bodies and answers of the orchestrator's HTTP API, for people (`/api/v1`) and for agents (`/api/agent`). */
import { z } from "zod";
import { rotation } from "../crypto/rotation.ts";
import { sealedPart } from "../crypto/sealed-part.ts";
import { updateReport } from "../release/manifest.ts";
import { suggestion } from "./api-requests.ts";
import { base64url, nameId, randomId, runId, sha256Text, watermark } from "./ids.ts";
import { pullDefinition, runState } from "./pull.ts";

/** RFC 9457 problem details; `type` is `urn:sallyport:` and the code. */
export const problem = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  code: z.string(),
  detail: z.string(),
  advice: z.string(),
  instance: z.string(),
  facts: z.record(z.string(), z.unknown()).optional(),
});
export type Problem = z.infer<typeof problem>;

export const scope = z.enum([
  "tenants:write",
  "tenants:export",
  "tenants:offboard",
  "sites:read",
  "sites:write",
  "agents:approve",
  "connections:write",
  "credentials:write",
  "pulls:read",
  "pulls:write",
  "runs:start",
  "runs:read",
  "data:read",
  "requests:write",
  "schedule:tick",
  "keys:write",
  "audit:read",
  "events:read",
  "webhooks:write",
  "releases:write",
]);
export type Scope = z.infer<typeof scope>;

export const newTenant = z.strictObject({ id: nameId, name: z.string().min(1).max(100) });
/** How much a tenant may have at once. */
export const quotas = z.strictObject({
  sites: z.int().min(0).max(10_000),
  agents: z.int().min(0).max(10_000),
  connections: z.int().min(0).max(10_000),
  pulls: z.int().min(0).max(10_000),
  keys: z.int().min(0).max(10_000),
});
export type Quotas = z.infer<typeof quotas>;
/** What is left out stays as it is. */
export const tenantChange = z.strictObject({
  name: z.string().min(1).max(100).optional(),
  quotas: quotas.partial().optional(),
});
/** The tenant's id once more, so that nobody ends the wrong one by a slip in an address. */
export const offboarding = z.strictObject({ confirm: nameId, deleteResults: z.boolean().default(false) });
export const newSite = z.strictObject({ id: nameId, name: z.string().min(1).max(100) });
export const newCode = z.strictObject({ autoApprove: z.boolean().default(false) });
export const connectionKind = z.enum(["mssql", "activeDirectory"]);
export const newConnection = z.strictObject({
  id: nameId,
  site: nameId,
  kind: connectionKind,
});
/** The password passes through this one request; it is stored only in the secret store. */
const plainCredential = z.strictObject({
  form: z.literal("plain"),
  user: z.string().min(1).max(256),
  password: z.string().min(1).max(1024),
  /** How its kind of system is signed in to; the kind's first way where it is left out: `sql`, or `simple`. */
  signIn: z.enum(["sql", "windowsNtlm", "simple", "negotiate", "ntlm"]).default("sql"),
});
/**
 * Sealed by the customer (`sallyport credential seal`), a part for each agent: nobody here can open it. Twelve of them fit
 * into a secret of 25 KB.
 */
export const sealedCredential = z.strictObject({
  form: z.literal("sealed"),
  tenant: nameId,
  site: nameId,
  connection: nameId,
  parts: z.array(sealedPart).min(1).max(12),
});
export type SealedFile = z.infer<typeof sealedCredential>;
export const credentialShape = z.discriminatedUnion("form", [plainCredential, sealedCredential]);
/** Without a `form` it is in clear. */
export const newCredential = z.preprocess((body) => {
  const isObject = typeof body === "object" && body !== null && !Array.isArray(body);
  return isObject ? { form: "plain", ...body } : body;
}, credentialShape);
export type Credential = z.infer<typeof newCredential>;
/** `revision`: of the definition that this one replaces; left out for a new pull. */
export const newPull = z.strictObject({ id: nameId, definition: pullDefinition, revision: z.int().min(1).optional() });
const names = z.array(nameId).min(1).max(100);
/** All that are given have to hold: what is outside a list, or cannot be told to be inside it, is refused. */
export const restriction = z.strictObject({
  sites: names.optional(),
  connections: names.optional(),
  pulls: names.optional(),
});
export type Restriction = z.infer<typeof restriction>;
/** Which revision it replaces is said by `If-Match`; without it the pull is new. */
export const putPullBody = z.strictObject({ definition: pullDefinition });
export const newKey = z.strictObject({
  id: nameId,
  tenant: nameId.nullable(),
  scopes: z.array(scope).min(1).max(32),
  only: restriction.optional(),
  expiresAt: z.iso.datetime().optional(),
});
/** Both secrets work for so many seconds; 0 ends the old one at once. */
export const keyRotation = z.strictObject({
  overlapSeconds: z
    .int()
    .min(0)
    .max(30 * 86_400)
    .default(86_400),
});
export const newRunShape = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("manual") }),
  z.strictObject({ kind: z.literal("backfill"), from: watermark.optional(), to: watermark.optional() }),
]);
/**
 * Starts a run by hand; nothing, or nothing in it, is an ordinary one. A backfill reads from `from` (the beginning when left
 * out) up to `to` (what was read so far).
 */
export const newRunBody = z.preprocess((body) => {
  const isObject = typeof body === "object" && body !== null && !Array.isArray(body);
  return isObject || body === undefined ? { kind: "manual", ...(body as object | undefined) } : body;
}, newRunShape);
export type NewRunBody = z.infer<typeof newRunBody>;

export const pullView = z.object({
  id: nameId,
  revision: z.int(),
  definition: pullDefinition,
  watermark: z.string().nullable(),
  /** Number of the last manifest, and of the oldest that is still kept. */
  seq: z.int(),
  oldest: z.int(),
  activeRun: runId.nullable(),
  nextDue: z.string().nullable(),
});
export type PullView = z.infer<typeof pullView>;

export const runView = z.object({
  id: runId,
  pull: nameId,
  state: runState,
  kind: z.enum(["scheduled", "manual", "backfill"]),
  rows: z.int(),
  bytes: z.int(),
  slices: z.int(),
  seq: z.int().nullable(),
  from: z.string().nullable(),
  to: z.string().nullable(),
  error: z
    .object({
      code: z.string(),
      message: z.string(),
      advice: z.string(),
      facts: z.record(z.string(), z.unknown()),
      at: z.string(),
    })
    .nullable(),
  /** Where the agent's policy denied it: what would have allowed it. */
  suggestion: suggestion.nullable().default(null),
  /** What is no error, but wants a person's eye. */
  warnings: z.array(z.object({ code: z.string(), message: z.string(), facts: z.record(z.string(), z.unknown()) })),
  startedAt: z.string(),
  endedAt: z.string().nullable(),
});
export type RunView = z.infer<typeof runView>;

const partView = z.object({
  path: z.string(),
  sha256: z.string(),
  rows: z.int(),
  bytes: z.int(),
  url: z.url(),
  expiresAt: z.string(),
});
export const partsView = z.object({
  run: runId,
  manifest: z.object({ path: z.string(), url: z.url() }).nullable(),
  parts: z.array(partView),
});

// What an agent sends and gets.

const jwk = z.record(z.string(), z.unknown());

/** Enrolment, both ways: `body` and `mac` as base64url. */
export const enrolRequest = z.strictObject({
  codeId: z.string().regex(/^[0-9A-HJKMNP-TV-Z]{8}$/),
  body: base64url.max(32_768),
  mac: sha256Text,
});
export const sealedAnswer = z.strictObject({ body: base64url.max(65_536), mac: sha256Text });

/** What `body` of an enrolment request holds. `proof`: a JWS by the identity key over all other fields. */
export const enrolBody = z.object({
  identity: jwk,
  unseal: base64url,
  origin: z.url(),
  host: z.string().max(255),
  version: z.string().max(64),
  time: z.iso.datetime(),
  proof: z.string().max(8192),
});

export const agentSettings = z.object({
  canarySeconds: z.int().min(30).max(3600).default(300),
});

export const enrolAnswer = z.object({
  agent: randomId,
  tenant: nameId,
  tenantName: z.string(),
  site: nameId,
  siteName: z.string(),
  status: z.enum(["active", "pending"]),
  /**
   * Host of the relay's namespace, with its port where that is not 443. Told while pending too: the agent pins it with
   * its path `a-` and its id, so that no later answer, which carries no MAC, can lead it elsewhere.
   */
  relayHost: z.string().regex(/^[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?$/),
  /** wss URL of the agent's own hybrid connection; absent while pending. */
  listenUrl: z.url().optional(),
  /** The orchestrator's public signing keys as JWKs. */
  keys: z.array(jwk).min(1).max(8),
  /** Number of the statement of these keys: the agent takes no older one. */
  keysSeq: z.int().min(0).default(0),
  settings: agentSettings,
});
export type EnrolAnswer = z.infer<typeof enrolAnswer>;

/** A line of the agent's journal: its number and its hash, which depends on every line before it. */
const journalHead = z.object({ seq: z.int().min(0), hash: sha256Text });

export const tokenBody = z.object({
  /** The newest line. */
  journal: journalHead.nullable(),
  /** The line that the last answer named, as it stands in the journal now; without a hash where it is gone. */
  known: z.object({ seq: z.int().min(0), hash: sha256Text.nullable() }).optional(),
  policy: sha256Text,
  locked: z.boolean(),
  draining: z.boolean(),
  version: z.string().max(64),
  /** Sessions that the agent serves at once, by its owner's configuration. */
  maxSessions: z.int().min(1).max(1000).optional(),
  /** The identity that it goes over to. */
  rotate: rotation.optional(),
  /** A `sallyport-unseal+jws`: the key that customers seal credentials to, signed by the identity. */
  unseal: z.string().max(8192).optional(),
  /** Number of the key statement that it took last. */
  keysSeq: z.int().min(0).optional(),
  /** Of an installation that can be updated: what its owner allows, and how the last update ended. */
  updates: updateReport.optional(),
});

export const tokenAnswer = z.object({
  listenUrl: z.url(),
  token: z.string().max(4096),
  expiresAt: z.iso.datetime(),
  renewAfter: z.iso.datetime(),
  serverTime: z.iso.datetime(),
  settings: agentSettings,
  /** The journal's line that the orchestrator knows: the next request shows that it is still there. */
  journal: journalHead.nullable().optional(),
  /** A `sallyport-keys+jws` statement: the complete set of the orchestrator's keys, signed by a pinned one. */
  keys: z.string().max(16_384),
  /** Statements since the agent's `keysSeq`, oldest first: each is signed by a key of the one before. */
  keyChain: z.array(z.string().max(16_384)).max(16).optional(),
  /** A `sallyport-rotate+jws` by the orchestrator: the identity that it knows this agent by now. */
  rotated: z.string().max(4096).optional(),
});
export type TokenAnswer = z.infer<typeof tokenAnswer>;
