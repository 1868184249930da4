/** Agents and codes as enrolment, tokens and sessions want them, over the tables. */
import { unsealKid } from "@sallyport/shared/crypto/agent-key.ts";
import type { JWK } from "@sallyport/shared/crypto/jws.ts";
import { OVERLAP_SECONDS } from "@sallyport/shared/crypto/rotation.ts";
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
import type { RegisteredAgent } from "./registered.ts";
import type { TokenDeps } from "./tokens.ts";
import { startsTrial } from "./trial.ts";

type Directory = Pick<EnrolmentDeps, "insertCode" | "findCode" | "namesOf" | "isRegistered" | "insertAgent"> &
  Pick<TokenDeps, "findByKid" | "report" | "rotate" | "publishUnseal"> & {
    /** Active agents of a site that are not drained, the likeliest to serve first. */
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
      const site = await store.sites.get(code.tenant, code.site);
      const inserted = await store.codes.insert(codeId, {
        ...rest,
        siteAt: site?.value.createdAt ?? null,
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
      const { tenant, site: name, siteAt } = stored.value;
      const site = await store.sites.get(tenant, name);
      if (site === undefined || (siteAt && site.value.createdAt !== siteAt)) return undefined;
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
        ...{ previous: null, unsealStatement: null, unsealBy: null },
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
        updates: null,
        versionAt: null,
      });
    },
    findByKid: async (kid) => {
      const stored = await store.agents.findByKey(kid);
      return stored && registeredBy(stored, kid, now());
    },
    rotate: async (agent, to) => {
      const stored = await store.agents.get(agent.tenant, agent.site, agent.id);
      if (stored === undefined || stored.value.kid !== agent.kid) return false;
      if (!(await store.agents.addKey(stored, to.kid))) return false;
      const until = new Date(now().getTime() + OVERLAP_SECONDS * 1000).toISOString();
      const { identity, kid } = stored.value;
      const rotated = {
        ...stored.value,
        identity: { ...to.identity },
        kid: to.kid,
        previous: { identity, kid, until },
      };
      return (await store.agents.update(stored, rotated)) !== undefined;
    },
    publishUnseal: async (agent, unseal, unsealStatement) => {
      const stored = await store.agents.get(agent.tenant, agent.site, agent.id);
      if (stored === undefined) return;
      const { kid: unsealBy } = stored.value;
      // What loses a race is told again by the next process, or with the next rotation.
      await store.agents.update(stored, { ...stored.value, unseal, unsealStatement, unsealBy });
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
        updates: report.updates ?? null,
        versionAt: startsTrial(report, stored.value) ? at : stored.value.versionAt,
        journal: keep,
        journalAlert: altered ? { at, known, told: report.journal } : journalAlert,
        seenAt: at,
      });
      return keep;
    },
    candidates: async (tenant, site) => {
      const agents = (await store.agents.list(tenant, site)).filter(
        ({ value }) => value.status === "active" && !value.drainedAt,
      );
      return inOrder(agents, now().getTime(), load.of, () => random(4).readUInt32BE()).map((agent) =>
        candidateOf(agent, now()),
      );
    },
    isCurrent: async (tenant, site, { id, kid }) => {
      const agent = (await store.agents.get(tenant, site, id))?.value;
      if (agent?.status !== "active") return false;
      // It may have rotated while it was dialled.
      return agent.kid === kid || previousOf(agent, now())?.kid === kid;
    },
  };
}

/** An agent's record as somebody who dials it wants it. */
export function candidateOf({ row, value }: Stored<Agent>, now: Date): Candidate {
  const previous = previousOf(value, now);
  return {
    id: row.row,
    path: value.hybridConnection,
    identity: value.identity as JWK,
    kid: value.kid,
    ...(previous === undefined ? {} : { previous }),
    unsealKid: unsealKid(value.unseal),
  };
}

/** The key before the current one, while it is valid. */
function previousOf({ previous }: Agent, now: Date): { identity: JWK; kid: string } | undefined {
  if (previous === null || Date.parse(previous.until) <= now.getTime()) return undefined;
  return { identity: previous.identity as JWK, kid: previous.kid };
}

/** An agent by one of the keys that are its own now. */
function registeredBy({ row, value }: Stored<Agent>, kid: string, now: Date): RegisteredAgent | undefined {
  const current = { identity: value.identity as JWK, kid: value.kid };
  const key = [current, previousOf(value, now)].find((each) => each?.kid === kid);
  if (key === undefined) return undefined;
  const { tenant, site, status, canary } = value;
  const unseal = { kid: unsealKid(value.unseal), signed: value.unsealBy === value.kid };
  return { id: row.row, tenant, site, status, ...key, current: value.kid, unseal, canary };
}
