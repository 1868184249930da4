/** Tenants and their sites. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { newSite, newTenant, tenantChange } from "@sallyport/shared/schema/api.ts";
import type { removed, TenantView } from "@sallyport/shared/schema/api-views.ts";
import type { z } from "zod";
import type { Page, PageRequest } from "../store/keyed.ts";
import type { Store } from "../store/open.ts";
import type { Stored } from "../store/record.ts";
import type { Tenant } from "../store/tenants.ts";
import { quotasOf, requireOpen, requireQuota, usedBy } from "./quotas.ts";

export interface TenantDeps {
  readonly store: Store;
  now(): Date;
}

interface Named {
  readonly id: string;
  readonly name: string;
}

/** @throws api.conflict when the tenant exists under another name; the same name again is no error. */
export async function addTenant(
  { store, now }: TenantDeps,
  tenant: z.infer<typeof newTenant>,
): Promise<z.infer<typeof newTenant>> {
  const record = { name: tenant.name, createdAt: now().toISOString(), quotas: null, closedAt: null };
  const inserted = await store.tenants.insert(tenant.id, record);
  if (!inserted && (await store.tenants.get(tenant.id))?.value.name !== tenant.name)
    throw exists(`tenant ${tenant.id}`);
  return tenant;
}

export async function listTenants({ store }: TenantDeps, page: PageRequest): Promise<Page<Named>> {
  return namesOf(await store.tenants.page(page));
}

const namesOf = (page: Page<Stored<{ readonly name: string }>>): Page<Named> => ({
  items: page.items.map(({ row, value }) => ({ id: row.row, name: value.name })),
  next: page.next,
});

/** @throws api.not_found */
export async function getTenant({ store }: TenantDeps, tenant: string): Promise<TenantView> {
  return view(store, await requireTenant(store, tenant));
}

/** What is left out stays. @throws api.not_found, api.changed */
export async function changeTenant(
  { store }: TenantDeps,
  tenant: string,
  { name, quotas }: z.infer<typeof tenantChange>,
): Promise<TenantView> {
  const stored = await requireTenant(store, tenant);
  const changed = await store.tenants.update(stored, {
    ...stored.value,
    ...(name === undefined ? {} : { name }),
    ...(quotas === undefined ? {} : { quotas: { ...stored.value.quotas, ...quotas } }),
  });
  if (changed === undefined) throw new SallyportError("api.changed", "The tenant was changed meanwhile.");
  return view(store, changed);
}

async function view(store: Store, { row: { row: id }, value }: Stored<Tenant>): Promise<TenantView> {
  const { name, createdAt, closedAt } = value;
  return { id, name, quotas: quotasOf(value), used: await usedBy(store, id), createdAt, closedAt };
}

/** @throws api.not_found, api.conflict, api.quota, api.closed */
export async function addSite(
  { store, now }: TenantDeps,
  tenant: string,
  site: z.infer<typeof newSite>,
): Promise<z.infer<typeof newSite>> {
  await requireTenant(store, tenant);
  const there = await store.sites.get(tenant, site.id);
  if (there === undefined) {
    await requireOpen(store, tenant);
    await requireQuota(store, tenant, "sites");
    if (await store.sites.insert(tenant, site.id, { name: site.name, createdAt: now().toISOString() })) return site;
  }
  if ((there ?? (await store.sites.get(tenant, site.id)))?.value.name !== site.name) throw exists(`site ${site.id}`);
  return site;
}

/**
 * Removes a site that has neither a connection nor an agent that is not revoked. Its record is written by whatever is made
 * there, so that of a removal and what it has not seen one is refused. @throws api.not_found, api.conflict, api.changed
 */
export async function removeSite(
  { store, now }: TenantDeps,
  tenant: string,
  site: string,
): Promise<z.infer<typeof removed>> {
  const stored = await store.sites.get(tenant, site);
  if (stored === undefined) throw new SallyportError("api.not_found", `There is no site ${site}.`, { site });
  const all = await store.connections.list(tenant, Number.POSITIVE_INFINITY);
  const connections = all.filter(({ value }) => value.site === site);
  const agents = (await store.agents.list(tenant, site)).filter(({ value }) => value.status !== "revoked");
  if (connections.length + agents.length > 0) {
    const named = (all: typeof connections | typeof agents) => all.map(({ row }) => row.row).slice(0, MOST_NAMED);
    throw new SallyportError("api.conflict", `Site ${site} is in use: remove its connections, and revoke its agents.`, {
      ...(connections.length > 0 && { connections: named(connections) }),
      ...(agents.length > 0 && { agents: named(agents) }),
    });
  }
  if (!(await store.sites.remove(stored))) {
    throw new SallyportError("api.changed", "Something was made at the site meanwhile.");
  }
  return { id: site, removedAt: now().toISOString() };
}

const MOST_NAMED = 10;

export async function listSites({ store }: TenantDeps, tenant: string, page: PageRequest): Promise<Page<Named>> {
  return namesOf(await store.sites.page(tenant, page));
}

/** @throws api.not_found */
export async function requireTenant(store: Pick<Store, "tenants">, tenant: string): Promise<Stored<Tenant>> {
  const stored = await store.tenants.get(tenant);
  if (stored === undefined) throw new SallyportError("api.not_found", `There is no tenant ${tenant}.`, { tenant });
  return stored;
}

const exists = (what: string) => new SallyportError("api.conflict", `The ${what} exists with another content.`);
