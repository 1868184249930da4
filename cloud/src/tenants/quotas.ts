/**
 * How much a tenant may have. Counted when something is made: two calls at once may each take the last place, which is no
 * harm; what a quota keeps away is a loop that never ends.
 */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { type Quotas, quotas } from "@sallyport/shared/schema/api.ts";
import type { Store } from "../store/open.ts";
import type { Tenant } from "../store/tenants.ts";

/** What every tenant has that was given nothing else. */
export const DEFAULT_QUOTAS: Quotas = { sites: 50, agents: 100, connections: 200, pulls: 500, keys: 100 };

export const quotasOf = (tenant: Pick<Tenant, "quotas"> | undefined): Quotas =>
  quotas.parse({ ...DEFAULT_QUOTAS, ...tenant?.quotas });

type Counted = Pick<Store, "tenants" | "sites" | "agents" | "connections" | "runs" | "apiKeys">;

const COUNT: Readonly<Record<keyof Quotas, (store: Counted, tenant: string) => Promise<number>>> = {
  sites: async (store, tenant) => (await store.sites.list(tenant, Number.POSITIVE_INFINITY)).length,
  connections: async (store, tenant) => (await store.connections.list(tenant, Number.POSITIVE_INFINITY)).length,
  pulls: async (store, tenant) => (await store.runs.definitions(tenant)).length,
  keys: async (store, tenant) =>
    (await store.apiKeys.list()).filter(({ value }) => value.tenant === tenant && value.revokedAt === null).length,
  agents: async (store, tenant) => {
    const sites = await store.sites.list(tenant, Number.POSITIVE_INFINITY);
    const agents = await Promise.all(sites.map(({ row }) => store.agents.list(tenant, row.row)));
    return agents.flat().filter(({ value }) => value.status !== "revoked").length;
  },
};

export async function usedBy(store: Counted, tenant: string): Promise<Quotas> {
  const kinds = Object.keys(COUNT) as (keyof Quotas)[];
  const counts = await Promise.all(kinds.map(async (kind) => [kind, await COUNT[kind](store, tenant)] as const));
  return Object.fromEntries(counts) as Quotas;
}

/** Before one more is made. @throws api.quota */
export async function requireQuota(store: Counted, tenant: string, kind: keyof Quotas): Promise<void> {
  const quota = quotasOf((await store.tenants.get(tenant))?.value)[kind];
  if ((await COUNT[kind](store, tenant)) < quota) return;
  throw new SallyportError("api.quota", `Tenant ${tenant} has its ${quota} ${kind}.`, { kind, quota });
}

/** Nothing is made or started for a tenant that was offboarded. @throws api.closed */
export async function requireOpen(store: Pick<Store, "tenants">, tenant: string): Promise<void> {
  const closedAt = (await store.tenants.get(tenant))?.value.closedAt ?? null;
  if (closedAt !== null) throw new SallyportError("api.closed", `Tenant ${tenant} was offboarded.`, { closedAt });
}
