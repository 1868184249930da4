/**
 * Table `audit`: PartitionKey the tenant, or `@` for what is above tenants; RowKey inverted time and random, so that the
 * newest stands first. A record is inserted before its change is made, and says afterwards how that ended.
 */
import type { TableClient } from "@azure/data-tables";
import { z } from "zod";
import { type Keyed, keyed } from "./keyed.ts";

const auditRecord = z.object({
  at: z.iso.datetime(),
  who: z.string().max(256),
  what: z.string().max(64),
  on: z.record(z.string(), z.string().max(256)),
  outcome: z.string().max(64).nullable(),
});
export type AuditRecord = z.infer<typeof auditRecord>;

/** Of what is above tenants: no tenant can be called so. */
export const PLATFORM = "@";

export const auditStore = (table: TableClient): Keyed<AuditRecord> => keyed(table, auditRecord);
