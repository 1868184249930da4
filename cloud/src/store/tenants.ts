/** Table `tenants`: PartitionKey `tenants`, RowKey the tenant's id. There are hundreds of them, not millions. */
import type { TableClient } from "@azure/data-tables";
import { quotas } from "@sallyport/shared/schema/api.ts";
import { z } from "zod";
import { keyed, type Page, type PageRequest } from "./keyed.ts";
import type { Stored } from "./record.ts";

export const tenantRecord = z.object({
  name: z.string().min(1).max(100),
  createdAt: z.iso.datetime(),
  /** What differs from the quotas that every tenant has; null for nothing. */
  quotas: quotas.partial().nullable(),
  closedAt: z.iso.datetime().nullable(),
});
export type Tenant = z.infer<typeof tenantRecord>;

export interface TenantStore {
  get(tenant: string): Promise<Stored<Tenant> | undefined>;
  insert(tenant: string, value: Tenant): Promise<boolean>;
  update(stored: Stored<Tenant>, value: Tenant): Promise<Stored<Tenant> | undefined>;
  list(): Promise<Stored<Tenant>[]>;
  page(request: PageRequest): Promise<Page<Stored<Tenant>>>;
}

export function tenantStore(table: TableClient): TenantStore {
  const records = keyed(table, tenantRecord);
  return {
    get: (tenant) => records.get("tenants", tenant),
    insert: (tenant, value) => records.insert("tenants", tenant, value),
    update: records.update,
    list: () => records.list("tenants", Number.POSITIVE_INFINITY),
    page: (request) => records.page("tenants", request),
  };
}
