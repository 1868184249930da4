/** Table `webhooks`: PartitionKey the tenant, RowKey the webhook. Its signing secrets are in the secret store only. */
import type { TableClient } from "@azure/data-tables";
import { deliveryFailure, eventType } from "@sallyport/shared/schema/events.ts";
import { z } from "zod";
import { type Keyed, keyed } from "./keyed.ts";

const webhookRecord = z.object({
  url: z.string().max(2000),
  /** Null: all. */
  types: z.array(eventType).nullable(),
  createdAt: z.iso.datetime(),
  createdBy: z.string().max(256),
  /** Written when deliveries begin to fail, and when they succeed again; not for each. */
  failing: z.object({ since: z.iso.datetime(), last: deliveryFailure }).nullable(),
});
export type Webhook = z.infer<typeof webhookRecord>;

export const webhookStore = (table: TableClient): Keyed<Webhook> => keyed(table, webhookRecord);
