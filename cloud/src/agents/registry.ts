/** What the platform team does with agents: list, approve, revoke. */
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
}

export async function listAgents({ store }: RegistryDeps, tenant: string, site: string): Promise<AgentView[]> {
  return (await store.agents.list(tenant, site)).map(view);
}

/** A person compared the fingerprints on both screens. @throws api.not_found, agent.revoked, api.changed */
export async function approveAgent(
  deps: RegistryDeps,
  tenant: string,
  site: string,
  agent: string,
): Promise<AgentView> {
  const stored = await requireAgent(deps.store, tenant, site, agent);
  if (stored.value.status === "revoked") throw new SallyportError("agent.revoked", "A revoked agent enrols again.");
  return view(await change(deps, stored, { status: "active" }));
}

/**
 * Takes effect at once: hellos and tokens are checked against this record, and without its hybrid connection the
 * listener loses its channel. @throws api.not_found, api.changed, storage.failed
 */
export async function revokeAgent(deps: RegistryDeps, tenant: string, site: string, agent: string): Promise<AgentView> {
  const stored = await requireAgent(deps.store, tenant, site, agent);
  const revoked = await change(deps, stored, { status: "revoked", revokedAt: deps.now().toISOString() });
  await deps.hybridConnections.remove(stored.value.hybridConnection);
  return view(revoked);
}

async function requireAgent(store: Store, tenant: string, site: string, agent: string): Promise<Stored<Agent>> {
  const stored = await store.agents.get(tenant, site, agent);
  if (stored === undefined) throw new SallyportError("api.not_found", `There is no agent ${agent} at site ${site}.`);
  return stored;
}

async function change({ store }: RegistryDeps, stored: Stored<Agent>, part: Partial<Agent>): Promise<Stored<Agent>> {
  const updated = await store.agents.update(stored, { ...stored.value, ...part });
  if (updated === undefined) throw new SallyportError("api.changed", "The agent's record was changed meanwhile.");
  return updated;
}

function view({ row, value }: Stored<Agent>): AgentView {
  const { status, kid, host, version, enrolledAt, seenAt, locked, draining } = value;
  return { id: row.row, status, fingerprint: `SHA256:${kid}`, host, version, enrolledAt, seenAt, locked, draining };
}
