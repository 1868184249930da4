/** Table `connections`: PartitionKey the tenant, RowKey the connection. Its credential is in the secret store only. */
import type { TableClient } from "@azure/data-tables";
import { connectionKind } from "@sallyport/shared/schema/api.ts";
import { nameId } from "@sallyport/shared/schema/ids.ts";
import { z } from "zod";
import { type Keyed, keyed } from "./keyed.ts";

const connectionRecord = z.object({
  site: nameId,
  kind: connectionKind,
  createdAt: z.iso.datetime(),
  /** The secret store's version of the credential; null until one was stored. */
  credentialVersion: z.string().nullable(),
  credentialAt: z.iso.datetime().nullable(),
  /** From here on it is as if it were gone; what still stands is deleted by whoever removes it again. */
  removedAt: z.iso.datetime().nullish(),
});
export type Connection = z.infer<typeof connectionRecord>;

export const connectionStore = (table: TableClient): Keyed<Connection> => keyed(table, connectionRecord);
