/** Everything that is stored of a tenant but secrets and results: to hand over, and to keep before it is ended. */
import type { TenantExport } from "@sallyport/shared/schema/api-views.ts";
import { keyView } from "../access/keys.ts";
import { agentView } from "../agents/registry.ts";
import type { PullDeps } from "../pulls/deps.ts";
import { getPull } from "../pulls/views.ts";
import { listed } from "./connections.ts";
import { getTenant, type TenantDeps } from "./tenants.ts";

export interface ExportDeps extends TenantDeps {
  readonly pulls: PullDeps;
}

const ALL = Number.POSITIVE_INFINITY;

/** @throws api.not_found */
export async function exportTenant(deps: ExportDeps, tenant: string): Promise<TenantExport> {
  const { store, pulls, now } = deps;
  const [view, sites, connections, definitions, keys] = await Promise.all([
    getTenant(deps, tenant),
    store.sites.list(tenant, ALL),
    store.connections.list(tenant, ALL),
    store.runs.definitions(tenant),
    store.apiKeys.list(),
  ]);
  const withAgents = sites.map(async ({ row, value }) => ({
    id: row.row,
    name: value.name,
    agents: (await store.agents.list(tenant, row.row)).map(agentView),
  }));
  return {
    exportedAt: now().toISOString(),
    tenant: view,
    sites: await Promise.all(withAgents),
    connections: connections.map(listed),
    pulls: await Promise.all(definitions.map(({ pull }) => getPull(pulls, tenant, pull))),
    keys: keys.filter(({ value }) => value.tenant === tenant).map(keyView),
  };
}
