/** What the platform team does with agents: list, approve, drain, revoke. */
import { type AgentKey, agentKey } from "@sallyport/shared/crypto/agent-key.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { AgentView } from "@sallyport/shared/schema/api-views.ts";
import type { Agent } from "../store/agents.ts";
import { type Page, type PageRequest, touch } from "../store/keyed.ts";
import type { Store } from "../store/open.ts";
import type { Stored } from "../store/record.ts";
import type { HybridConnections } from "./hybrid-connections.ts";

export interface RegistryDeps {
  readonly store: Store;
  readonly hybridConnections: HybridConnections;
  now(): Date;
}

/** By id. */
export async function listAgents(
  { store }: Pick<RegistryDeps, "store">,
  tenant: string,
  site: string,
  page: PageRequest,
): Promise<Page<AgentView>> {
  const { items, next } = await store.agents.page(tenant, site, page);
  return { items: items.map(agentView), next };
}

/** The keys of a site's agents that customers seal credentials to, each in its identity's own statement. @throws storage.failed */
export async function listAgentKeys(
  { store }: Pick<RegistryDeps, "store">,
  tenant: string,
  site: string,
): Promise<AgentKey[]> {
  const agents = (await store.agents.list(tenant, site)).map(({ value }) => value);
  return agents.flatMap(({ status, identity, kid, unsealStatement, unsealBy }) =>
    // One that has rotated and not said it again has nothing that a customer could check.
    status === "active" && unsealStatement !== null && unsealBy === kid
      ? [agentKey.parse({ v: 1, identity, unseal: unsealStatement })]
      : [],
  );
}

/** A person compared the fingerprints on both screens; also what clears an alert about its journal. @throws api.not_found, agent.revoked, api.changed */
export async function approveAgent(
  deps: RegistryDeps,
  tenant: string,
  site: string,
  agent: string,
): Promise<AgentView> {
  return agentView(
    await change(deps.store, { tenant, site, agent }, ({ status }) => {
      if (status === "revoked") throw new SallyportError("agent.revoked", "A revoked agent enrols again.");
      return { status: "active", journalAlert: null };
    }),
  );
}

/**
 * No new session goes to a drained agent; those that run go on, and canaries show that it still lives. For whoever works on
 * its machine, or tries another agent of the site. @throws api.not_found, agent.revoked, api.changed
 */
export async function drainAgent(deps: RegistryDeps, tenant: string, site: string, agent: string): Promise<AgentView> {
  const now = deps.now().toISOString();
  return agentView(await offer(deps, { tenant, site, agent }, (drainedAt) => drainedAt ?? now));
}

/** Takes the drain back. @throws as `drainAgent` */
export const resumeAgent = async (
  deps: RegistryDeps,
  tenant: string,
  site: string,
  agent: string,
): Promise<AgentView> => agentView(await offer(deps, { tenant, site, agent }, () => null));

const offer = (
  { store }: RegistryDeps,
  at: At,
  drainedAt: (before: string | null) => string | null,
): Promise<Stored<Agent>> =>
  change(store, at, (value) => {
    if (value.status === "revoked") throw new SallyportError("agent.revoked", "A revoked agent enrols again.");
    return { drainedAt: drainedAt(value.drainedAt ?? null) };
  });

/**
 * Takes effect at once: hellos and tokens are checked against this record, and without its hybrid connection the
 * listener loses its channel. @throws api.not_found, api.changed, storage.failed
 */
export async function revokeAgent(deps: RegistryDeps, tenant: string, site: string, agent: string): Promise<AgentView> {
  return agentView(await revoke(deps, { tenant, site, agent }, () => ({})));
}

async function revoke(deps: RegistryDeps, at: At, more: (now: string) => Partial<Agent>): Promise<Stored<Agent>> {
  const now = deps.now().toISOString();
  const revoked = await change(deps.store, at, (value) => ({
    ...{ status: "revoked" as const, revokedAt: value.revokedAt ?? now },
    ...more(now),
  }));
  await deps.hybridConnections.remove(revoked.value.hybridConnection);
  return revoked;
}

/**
 * After an agent was registered: a removal of its site that has not seen the agent is refused by this write. Where the
 * removal came first, the agent is revoked again. @throws enrolment.refused, api.changed, storage.failed
 */
export async function settle(deps: RegistryDeps, { tenant, site, agent }: At): Promise<void> {
  if ((await touch(deps.store.sites, tenant, site)) !== undefined) return;
  await revokeAgent(deps, tenant, site, agent);
  throw new SallyportError("enrolment.refused", "The site was removed meanwhile.");
}

/** When it was last heard of, by whatever way. */
const heardMs = ({ enrolledAt, seenAt, reachedAt }: Agent): number =>
  Math.max(...[enrolledAt, seenAt, reachedAt].map((at) => (at === null ? 0 : Date.parse(at))));

/**
 * Revokes agents of which nothing was heard for so many days, pending ones too: an installation that nobody uses any more
 * should not hold a key, nor a hybrid connection. Answers how many. A failure is left to the next time.
 */
export async function retireSilent(deps: RegistryDeps, days: number): Promise<number> {
  const beforeMs = deps.now().getTime() - days * 86_400_000;
  let retired = 0;
  for (const { row, value } of await deps.store.agents.all()) {
    if (value.status === "revoked" || heardMs(value) >= beforeMs) continue;
    const at = { tenant: value.tenant, site: value.site, agent: row.row };
    await revoke(deps, at, (retiredAt) => ({ retiredAt }));
    retired += 1;
  }
  return retired;
}

interface At {
  readonly tenant: string;
  readonly site: string;
  readonly agent: string;
}

/** Canaries and token requests write to the same record, so a person's change is tried again a few times. */
const TRIES = 5;

async function change(store: Store, at: At, part: (value: Agent) => Partial<Agent>): Promise<Stored<Agent>> {
  const { tenant, site, agent } = at;
  for (let tried = 0; tried < TRIES; tried++) {
    const stored = await store.agents.get(tenant, site, agent);
    if (stored === undefined) throw new SallyportError("api.not_found", `There is no agent ${agent} at site ${site}.`);
    const updated = await store.agents.update(stored, { ...stored.value, ...part(stored.value) });
    if (updated !== undefined) return updated;
  }
  throw new SallyportError("api.changed", "The agent's record was changed meanwhile.");
}

export function agentView({ row, value }: Stored<Agent>): AgentView {
  const { status, kid, host, version, enrolledAt, seenAt, policy, locked, draining } = value;
  const { maxSessions, reachedAt, canaryAt, canaryCode, journal, journalAlert, retiredAt, origin, relayHost } = value;
  return {
    ...{
      id: row.row,
      status,
      fingerprint: `SHA256:${kid}`,
      host,
      version,
      enrolledAt,
      seenAt,
      policy,
      locked,
      draining,
    },
    ...{ maxSessions, reachedAt, canaryAt, canaryCode, journal, journalAlert },
    updates: value.updates,
    drainedAt: value.drainedAt ?? null,
    retiredAt: retiredAt ?? null,
    pinned: origin && relayHost ? { origin, relayHost } : null,
  };
}
