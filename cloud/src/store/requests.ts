/** Table `requests`: requests by hand, PartitionKey the tenant, RowKey the request's id. Results are blobs. */
import type { TableClient } from "@azure/data-tables";
import { requestState, suggestion } from "@sallyport/shared/schema/api-requests.ts";
import { nameId } from "@sallyport/shared/schema/ids.ts";
import { z } from "zod";
import { type Keyed, keyed } from "./keyed.ts";
import { runError } from "./runs.ts";

const requestRecord = z.object({
  connection: nameId,
  /** When that connection was made: one made again under its name is another. */
  connectionAt: z.iso.datetime().nullish(),
  operation: z.string().max(64),
  caller: z.string().max(256),
  state: requestState,
  startedAt: z.iso.datetime(),
  endedAt: z.iso.datetime().nullable(),
  rows: z.int().min(0).nullable(),
  bytes: z.int().min(0).nullable(),
  /** Blob with the request itself, encrypted, while somebody else may have to go on with it. */
  asked: z.string().max(1024).nullable(),
  /** What that blob is encrypted with, base64url. */
  askedKey: z.string().max(64).nullable(),
  /** Blob with columns, result and, up to 1 MiB, rows; null when it was answered inline. */
  result: z.string().max(1024).nullable(),
  /** Blob with the rows where they are more. */
  rowsBlob: z.string().max(1024).nullable(),
  error: runError.nullable(),
  suggestion: suggestion.nullable(),
  /** Whether it may be asked again without changing anything twice. */
  repeatable: z.boolean(),
  /** Who works on it, and until when nobody else does. */
  holder: z.string().max(64),
  leaseUntil: z.iso.datetime(),
  /** When it is no longer waited for. */
  deadline: z.iso.datetime(),
  /** When it is forgotten, with its blobs. */
  expiresAt: z.iso.datetime(),
});
export type RequestRecord = z.infer<typeof requestRecord>;

export const requestStore = (table: TableClient): Keyed<RequestRecord> => keyed(table, requestRecord);
