/** Table `apikeys`: PartitionKey `keys`, RowKey the key's id. Of the secret only its SHA-256 is kept. */
import type { TableClient } from "@azure/data-tables";
import { scope } from "@sallyport/shared/schema/api.ts";
import { nameId, sha256Text } from "@sallyport/shared/schema/ids.ts";
import { z } from "zod";
import { keyed } from "./keyed.ts";
import type { Stored } from "./record.ts";

export const apiKeyRecord = z.object({
  sha256: sha256Text,
  /** Null: for every tenant. */
  tenant: nameId.nullable(),
  scopes: z.array(scope),
  createdAt: z.iso.datetime(),
  createdBy: z.string().max(256),
  expiresAt: z.iso.datetime().nullable(),
  revokedAt: z.iso.datetime().nullable(),
});
export type ApiKey = z.infer<typeof apiKeyRecord>;

export interface ApiKeyStore {
  get(id: string): Promise<Stored<ApiKey> | undefined>;
  insert(id: string, value: ApiKey): Promise<boolean>;
  update(stored: Stored<ApiKey>, value: ApiKey): Promise<Stored<ApiKey> | undefined>;
  list(): Promise<Stored<ApiKey>[]>;
}

export function apiKeyStore(table: TableClient): ApiKeyStore {
  const records = keyed(table, apiKeyRecord);
  return {
    get: (id) => records.get("keys", id),
    insert: (id, value) => records.insert("keys", id, value),
    update: records.update,
    list: () => records.list("keys"),
  };
}
