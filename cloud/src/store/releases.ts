/** Table `releases`: PartitionKey the channel, RowKey the version. The archives are blobs below `_releases/`. */
import type { TableClient } from "@azure/data-tables";
import { ring } from "@sallyport/shared/release/manifest.ts";
import { z } from "zod";
import { type Keyed, keyed } from "./keyed.ts";

const releaseRecord = z.object({
  /** Exact text: it is signed. */
  manifest: z.string().max(32_000),
  signature: z.string().max(4096),
  /** How far it is let go; null while it is offered to nobody. */
  ring: ring.nullable(),
  addedAt: z.iso.datetime(),
});
export type ReleaseRecord = z.infer<typeof releaseRecord>;

export const releaseStore = (table: TableClient): Keyed<ReleaseRecord> => keyed(table, releaseRecord);
