/** Agents and codes as enrolment, tokens and sessions want them, over the tables. */
import { unsealKid } from "@sallyport/shared/crypto/agent-key.ts";
import type { JWK } from "@sallyport/shared/crypto/jws.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { SecretStore } from "../secrets/secrets.ts";
import type { Candidate } from "../sessions/open.ts";
import type { Agent } from "../store/agents.ts";
import type { Store } from "../store/open.ts";
import type { Stored } from "../store/record.ts";
import { inOrder, type Load } from "./choice.ts";
import { openCodeKey, sealCodeKey } from "./code-keys.ts";
import type { EnrolmentDeps } from "./enrolment.ts";
import { pathOf } from "./hybrid-connections.ts";
import { compareHeads } from "./journal-head.ts";
import type { RegisteredAgent, TokenDeps } from "./tokens.ts";

type Directory = Pick<EnrolmentDeps, "insertCode" | "findCode" | "namesOf" | "isRegistered" | "insertAgent"> &
  Pick<TokenDeps, "findByKid" | "report"> & {
    /** Active agents of a site, the likeliest to serve first. */
    candidates(tenant: string, site: string): Promise<readonly Candidate[]>;
    /** Whether this agent is active now, and the key is still its own. */
    isCurrent(tenant: string, site: string, candidate: Candidate): Promise<boolean>;
  };

export interface DirectoryDeps {
  readonly store: Store;
  readonly secrets: SecretStore;
  /** Somebody should look at this. */
  alert(what: string, facts: Readonly<Record<string, unknown>>): void;
  /** Sessions that this process has open. */
  readonly load: Load;
  now(): Date;
  random(bytes: number): Buffer;
}

export function agentDirectory({ store, secrets, alert, load, now, random }: DirectoryDeps): Directory {
  return {
    insertCode: async (code, key, by) => {
      const { codeId, ...rest } = code;
      const sealedKey = await sealCodeKey(secrets, random, codeId, key);
      const inserted = await store.codes.insert(codeId, {
        ...rest,
        createdBy: by,
        createdAt: now().toISOString(),
        sealedKey,
        agent: null,
      });
      if (!inserted) throw new SallyportError("api.conflict", "This code exists already: ask for another.");
    },
    findCode: async (codeId) => {
      const stored = await store.codes.get(codeId);
      if (stored === undefined) return undefined;
      return {
        code: { ...stored.value, codeId },
        key: () => openCodeKey(secrets, codeId, stored.value.sealedKey ?? ""),
        use: async (change) =>
          (await store.codes.update(stored, { ...stored.value, ...change, sealedKey: null })) !== undefined,
      };
    },
    namesOf: async (tenant, site) => {
      const [tenantRecord, siteRecord] = await Promise.all([store.tenants.get(tenant), store.sites.get(tenant, site)]);
      if (tenantRecord === undefined || siteRecord === undefined) {
        throw new SallyportError("api.not_found", `There is no site ${site} of tenant ${tenant}.`);
      }
      return { tenantName: tenantRecord.value.name, siteName: siteRecord.value.name };
    },
    isRegistered: async (agent) => (await store.agents.get(agent.tenant, agent.site, agent.id)) !== undefined,
    insertAgent: async (agent) => {
      const { id, ...rest } = agent;
      await store.agents.insert(id, {
        ...rest,
        identity: { ...agent.identity },
        hybridConnection: pathOf(id),
        revokedAt: null,
        seenAt: null,
        journal: null,
        journalAlert: null,
        policy: null,
        locked: false,
        draining: false,
        maxSessions: null,
        reachedAt: null,
        canaryAt: null,
        canary: null,
        canaryCode: null,
      });
    },
    findByKid: async (kid) => {
      const stored = await store.agents.findByKey(kid);
      return stored?.value.kid === kid ? registered(stored) : undefined;
    },
    report: async (agent, report) => {
      const stored = await store.agents.get(agent.tenant, agent.site, agent.id);
      if (stored === undefined) return null;
      const { known: _shown, ...said } = report;
      const { journal: known, journalAlert } = stored.value;
      const { altered, keep } = compareHeads(known, report);
      const at = now().toISOString();
      if (altered) {
        alert("journal altered", {
          ...{ agent: agent.id, tenant: agent.tenant, site: agent.site },
          ...{ known: known?.seq ?? null, told: report.journal?.seq ?? null },
        });
      }
      // A report that loses a race tells nothing that the next one does not.
      await store.agents.update(stored, {
        ...stored.value,
        ...said,
        maxSessions: report.maxSessions ?? stored.value.maxSessions,
        journal: keep,
        journalAlert: altered ? { at, known, told: report.journal } : journalAlert,
        seenAt: at,
      });
      return keep;
    },
    candidates: async (tenant, site) => {
      const agents = (await store.agents.list(tenant, site)).filter((agent) => agent.value.status === "active");
      return inOrder(agents, now().getTime(), load.of, () => random(4).readUInt32BE()).map(candidateOf);
    },
    isCurrent: async (tenant, site, { id, kid }) => {
      const agent = (await store.agents.get(tenant, site, id))?.value;
      return agent?.status === "active" && agent.kid === kid;
    },
  };
}

/** An agent's record as somebody who dials it wants it. */
export const candidateOf = ({ row, value }: Stored<Agent>): Candidate => ({
  id: row.row,
  path: value.hybridConnection,
  identity: value.identity as JWK,
  kid: value.kid,
  unsealKid: unsealKid(value.unseal),
});

const registered = (stored: Stored<Agent>): RegisteredAgent => ({
  id: stored.row.row,
  tenant: stored.value.tenant,
  site: stored.value.site,
  status: stored.value.status,
  identity: stored.value.identity as JWK,
  kid: stored.value.kid,
  canary: stored.value.canary,
});
