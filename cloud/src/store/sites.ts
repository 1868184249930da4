/** Table `sites`: PartitionKey the tenant, RowKey the site. */
import type { TableClient } from "@azure/data-tables";
import { z } from "zod";
import { type Keyed, keyed } from "./keyed.ts";

export const siteRecord = z.object({ name: z.string().min(1).max(100), createdAt: z.iso.datetime() });
export type Site = z.infer<typeof siteRecord>;

export const siteStore = (table: TableClient): Keyed<Site> => keyed(table, siteRecord);
