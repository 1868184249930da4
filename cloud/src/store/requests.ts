/** Table `requests`: ad-hoc requests, PartitionKey the tenant, RowKey the request's id. A large result is a blob. */
import type { TableClient } from "@azure/data-tables";
import { nameId } from "@sallyport/shared/schema/ids.ts";
import { z } from "zod";
import { type Keyed, keyed } from "./keyed.ts";
import { runError } from "./runs.ts";

export const requestRecord = z.object({
  connection: nameId,
  operation: z.string().max(64),
  caller: z.string().max(256),
  state: z.enum(["running", "succeeded", "failed"]),
  startedAt: z.iso.datetime(),
  endedAt: z.iso.datetime().nullable(),
  rows: z.int().min(0).nullable(),
  bytes: z.int().min(0).nullable(),
  /** Name of the result's blob, `{tenant}/requests/{id}/…`; null when it was answered inline. */
  result: z.string().max(1024).nullable(),
  error: runError.nullable(),
});
export type RequestRecord = z.infer<typeof requestRecord>;

export const requestStore = (table: TableClient): Keyed<RequestRecord> => keyed(table, requestRecord);
