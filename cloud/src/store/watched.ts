/**
 * Table `watched`: what was told of an agent's state last. PartitionKey the tenant, RowKey the agent's id. A change is
 * written here first, with `told` false, then told, then `told` is set: whoever dies in between is made up for.
 */
import type { TableClient } from "@azure/data-tables";
import { nameId } from "@sallyport/shared/schema/ids.ts";
import { z } from "zod";
import { type Keyed, keyed } from "./keyed.ts";

export const agentState = z.enum(["pending", "approved", "connected", "silent", "revoked"]);
export type AgentState = z.infer<typeof agentState>;

const watchedRecord = z.object({
  site: nameId,
  state: agentState,
  at: z.iso.datetime(),
  told: z.boolean(),
  /** Of the newest alert about its journal that was told. */
  journalAt: z.iso.datetime().nullable(),
});
export type Watched = z.infer<typeof watchedRecord>;

export const watchedStore = (table: TableClient): Keyed<Watched> => keyed(table, watchedRecord);
