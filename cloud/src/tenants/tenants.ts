/** Tenants and their sites. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { newSite, newTenant } from "@sallyport/shared/schema/api.ts";
import type { z } from "zod";
import type { Store } from "../store/open.ts";

export interface TenantDeps {
  readonly store: Store;
  now(): Date;
}

/** @throws api.conflict when the tenant exists under another name; the same name again is no error. */
export async function addTenant(
  { store, now }: TenantDeps,
  tenant: z.infer<typeof newTenant>,
): Promise<z.infer<typeof newTenant>> {
  const inserted = await store.tenants.insert(tenant.id, { name: tenant.name, createdAt: now().toISOString() });
  if (!inserted && (await store.tenants.get(tenant.id))?.value.name !== tenant.name)
    throw exists(`tenant ${tenant.id}`);
  return tenant;
}

export async function listTenants({ store }: TenantDeps): Promise<{ id: string; name: string }[]> {
  return (await store.tenants.list()).map(({ row, value }) => ({ id: row.row, name: value.name }));
}

/** @throws api.not_found, api.conflict */
export async function addSite(
  { store, now }: TenantDeps,
  tenant: string,
  site: z.infer<typeof newSite>,
): Promise<z.infer<typeof newSite>> {
  await requireTenant(store, tenant);
  const inserted = await store.sites.insert(tenant, site.id, { name: site.name, createdAt: now().toISOString() });
  if (!inserted && (await store.sites.get(tenant, site.id))?.value.name !== site.name) throw exists(`site ${site.id}`);
  return site;
}

export async function listSites({ store }: TenantDeps, tenant: string): Promise<{ id: string; name: string }[]> {
  return (await store.sites.list(tenant)).map(({ row, value }) => ({ id: row.row, name: value.name }));
}

async function requireTenant(store: Store, tenant: string): Promise<void> {
  if ((await store.tenants.get(tenant)) === undefined) {
    throw new SallyportError("api.not_found", `There is no tenant ${tenant}.`, { tenant });
  }
}

const exists = (what: string) => new SallyportError("api.conflict", `The ${what} exists with another content.`);
