/** Table `tenants`: PartitionKey `tenants`, RowKey the tenant's id. There are hundreds of them, not millions. */
import type { TableClient } from "@azure/data-tables";
import { z } from "zod";
import { keyed } from "./keyed.ts";
import type { Stored } from "./record.ts";

export const tenantRecord = z.object({ name: z.string().min(1).max(100), createdAt: z.iso.datetime() });
export type Tenant = z.infer<typeof tenantRecord>;

export interface TenantStore {
  get(tenant: string): Promise<Stored<Tenant> | undefined>;
  insert(tenant: string, value: Tenant): Promise<boolean>;
  update(stored: Stored<Tenant>, value: Tenant): Promise<Stored<Tenant> | undefined>;
  list(): Promise<Stored<Tenant>[]>;
}

export function tenantStore(table: TableClient): TenantStore {
  const records = keyed(table, tenantRecord);
  return {
    get: (tenant) => records.get("tenants", tenant),
    insert: (tenant, value) => records.insert("tenants", tenant, value),
    update: records.update,
    list: () => records.list("tenants"),
  };
}
