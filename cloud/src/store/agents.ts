/**
 * Table `agents`: PartitionKey `{tenant}|{site}`, RowKey the agent, so that a site's agents are one range. Unchanging rows
 * say where an agent stands: PartitionKey `@id|{agent}` for people, `@kid|{thumbprint}` for an agent that signs (so that its
 * signature is checked before anything it says is read), both with RowKey `at`.
 */
import type { TableClient } from "@azure/data-tables";
import { updateReport } from "@sallyport/shared/release/manifest.ts";
import { base64url, nameId, randomId, sha256Text } from "@sallyport/shared/schema/ids.ts";
import { sentCanary } from "@sallyport/shared/schema/liveness.ts";
import { z } from "zod";
import { keyed, type Page, type PageRequest } from "./keyed.ts";
import type { Stored } from "./record.ts";

const journalHead = z.object({ seq: z.int().min(0), hash: sha256Text });

export const agentRecord = z.object({
  tenant: nameId,
  site: nameId,
  status: z.enum(["active", "pending", "revoked"]),
  /** The current identity key as a public JWK, and its thumbprint. */
  identity: z.record(z.string(), z.unknown()),
  kid: sha256Text,
  /** The key before, for a day after a rotation. */
  previous: z
    .object({ identity: z.record(z.string(), z.unknown()), kid: sha256Text, until: z.iso.datetime() })
    .nullable(),
  /** X-Wing public key for credentials that the customer sealed, and what the identity `unsealBy` signed of it. */
  unseal: base64url,
  unsealStatement: z.string().max(8192).nullable(),
  unsealBy: sha256Text.nullable(),
  /** Path of its hybrid connection in the relay's namespace. */
  hybridConnection: z.string().max(260),
  host: z.string().max(255),
  version: z.string().max(64),
  codeId: z.string(),
  enrolledAt: z.iso.datetime(),
  revokedAt: z.iso.datetime().nullable(),
  /** When it was revoked because nothing had been heard of it for long. */
  retiredAt: z.iso.datetime().nullish(),
  /** What it pinned at its enrolment, and would have to enrol again to change: our origin, and the relay's namespace. */
  origin: z.string().max(2000).nullish(),
  relayHost: z.string().max(260).nullish(),
  /** Since when the platform team sends it no new sessions. */
  drainedAt: z.iso.datetime().nullish(),
  /** What it said with its last token request. */
  seenAt: z.iso.datetime().nullable(),
  /** The line of its journal that is known: the next report is held against it. */
  journal: journalHead.nullable(),
  /** When a journal was found cut or written anew: the line that was known then, and the one that it told of. */
  journalAlert: z
    .object({ at: z.iso.datetime(), known: journalHead.nullable(), told: journalHead.nullable() })
    .nullable(),
  policy: sha256Text.nullable(),
  locked: z.boolean(),
  draining: z.boolean(),
  /** What it announced last, by a token request, a hello or a canary; null until then. */
  maxSessions: z.int().min(1).max(1000).nullable(),
  /** When a session or a canary last succeeded, and when a canary did. */
  reachedAt: z.iso.datetime().nullable(),
  canaryAt: z.iso.datetime().nullable(),
  /** The newest canary sent, and what became of it: null while it is under way and when it was answered. */
  canary: sentCanary.nullable(),
  canaryCode: z.string().max(64).nullable(),
  /** What it said of its updates; null where it is not updated from here. */
  updates: updateReport.nullable(),
  /** When it last had to show that its version works: by another version than before, or by an update; null where it never had to. */
  versionAt: z.iso.datetime().nullable(),
});
export type Agent = z.infer<typeof agentRecord>;

const placeRecord = z.object({ tenant: nameId, site: nameId, agent: randomId });

export interface AgentStore {
  get(tenant: string, site: string, agent: string): Promise<Stored<Agent> | undefined>;
  /** By its id alone: two reads. */
  find(agent: string): Promise<Stored<Agent> | undefined>;
  /** By the thumbprint of its identity key: two reads. The caller checks that the key is still the agent's. */
  findByKey(kid: string): Promise<Stored<Agent> | undefined>;
  /** Writes the places first, so that every agent can be found; false when it exists. A repeat finishes a lost one. */
  insert(agent: string, value: Agent): Promise<boolean>;
  /** Lets an agent be found by a further key; false when that is another agent's. */
  addKey(stored: Stored<Agent>, kid: string): Promise<boolean>;
  update(stored: Stored<Agent>, value: Agent): Promise<Stored<Agent> | undefined>;
  /** The id is each record's `row.row`. */
  list(tenant: string, site: string): Promise<Stored<Agent>[]>;
  page(tenant: string, site: string, request: PageRequest): Promise<Page<Stored<Agent>>>;
  /** The active agents of all tenants, by a scan of the table: a storage operation for each thousand rows of it. */
  active(): Promise<Stored<Agent>[]>;
  /** The same for those that wait or were revoked, too. */
  all(): Promise<Stored<Agent>[]>;
}

export function agentStore(table: TableClient): AgentStore {
  const records = keyed(table, agentRecord);
  const places = keyed(table, placeRecord);
  const partition = (tenant: string, site: string) => `${tenant}|${site}`;
  const at = async (key: string) => {
    const place = await places.get(key, "at");
    return place && records.get(partition(place.value.tenant, place.value.site), place.value.agent);
  };
  return {
    get: (tenant, site, agent) => records.get(partition(tenant, site), agent),
    find: (agent) => at(`@id|${agent}`),
    findByKey: (kid) => at(`@kid|${kid}`),
    async insert(agent, value) {
      const { tenant, site } = value;
      if (!(await places.insert(`@id|${agent}`, "at", { tenant, site, agent }))) {
        // Its own place, from a try that was cut short, is as good as a new one; another site's is not.
        const there = await places.get(`@id|${agent}`, "at");
        if (there?.value.tenant !== tenant || there.value.site !== site) return false;
      }
      await places.insert(`@kid|${value.kid}`, "at", { tenant, site, agent });
      return records.insert(partition(tenant, site), agent, value);
    },
    async addKey({ row, value: { tenant, site } }, kid) {
      const place = { tenant, site, agent: row.row };
      if (await places.insert(`@kid|${kid}`, "at", place)) return true;
      return (await places.get(`@kid|${kid}`, "at"))?.value.agent === row.row;
    },
    update: records.update,
    list: (tenant, site) => records.list(partition(tenant, site)),
    page: (tenant, site, request) => records.page(partition(tenant, site), request),
    // Places have no status, so the filter leaves them out.
    active: () => records.scan("status eq 'active'"),
    all: () => records.scan("status gt ''"),
  };
}
