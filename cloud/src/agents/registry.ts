/** What the platform team does with agents: list, approve, revoke. */
import { type AgentKey, agentKey } from "@sallyport/shared/crypto/agent-key.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { Agent } from "../store/agents.ts";
import type { Store } from "../store/open.ts";
import type { Stored } from "../store/record.ts";
import type { HybridConnections } from "./hybrid-connections.ts";

export interface RegistryDeps {
  readonly store: Store;
  readonly hybridConnections: HybridConnections;
  now(): Date;
}

export interface AgentView {
  readonly id: string;
  readonly status: Agent["status"];
  /** To be compared with what `sallyport status` shows on the agent's machine. */
  readonly fingerprint: string;
  readonly host: string;
  readonly version: string;
  readonly enrolledAt: string;
  readonly seenAt: string | null;
  readonly locked: boolean;
  readonly draining: boolean;
  /** Sessions that it serves at once; null while it has not said. */
  readonly maxSessions: number | null;
  /** When a session or a canary last succeeded, and when a canary did. */
  readonly reachedAt: string | null;
  readonly canaryAt: string | null;
  /** The line of its journal that is known here: `sallyport journal verify --head` holds the journal against it. */
  readonly journal: Agent["journal"];
  /** When its journal was found cut or written anew, until a person approves the agent again. */
  readonly journalAlert: Agent["journalAlert"];
  /** Why the newest canary was not answered; null when it was, or is under way. */
  readonly canaryCode: string | null;
}

export async function listAgents({ store }: RegistryDeps, tenant: string, site: string): Promise<AgentView[]> {
  return (await store.agents.list(tenant, site)).map(view);
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
  return view(
    await change(deps.store, { tenant, site, agent }, ({ status }) => {
      if (status === "revoked") throw new SallyportError("agent.revoked", "A revoked agent enrols again.");
      return { status: "active", journalAlert: null };
    }),
  );
}

/**
 * Takes effect at once: hellos and tokens are checked against this record, and without its hybrid connection the
 * listener loses its channel. @throws api.not_found, api.changed, storage.failed
 */
export async function revokeAgent(deps: RegistryDeps, tenant: string, site: string, agent: string): Promise<AgentView> {
  const revokedAt = deps.now().toISOString();
  const revoked = await change(deps.store, { tenant, site, agent }, () => ({ status: "revoked", revokedAt }));
  await deps.hybridConnections.remove(revoked.value.hybridConnection);
  return view(revoked);
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

function view({ row, value }: Stored<Agent>): AgentView {
  const { status, kid, host, version, enrolledAt, seenAt, locked, draining } = value;
  const { maxSessions, reachedAt, canaryAt, canaryCode, journal, journalAlert } = value;
  return {
    ...{ id: row.row, status, fingerprint: `SHA256:${kid}`, host, version, enrolledAt, seenAt, locked, draining },
    ...{ maxSessions, reachedAt, canaryAt, canaryCode, journal, journalAlert },
  };
}
