/** Table `apikeys`: PartitionKey `keys`, RowKey the key's id. Of the secret only its SHA-256 is kept. */
import type { TableClient } from "@azure/data-tables";
import { restriction, scope } from "@sallyport/shared/schema/api.ts";
import { nameId, sha256Text } from "@sallyport/shared/schema/ids.ts";
import { z } from "zod";
import { keyed, type Page, type PageRequest } from "./keyed.ts";
import type { Stored } from "./record.ts";

const apiKeyRecord = z.object({
  sha256: sha256Text,
  /** Null: for every tenant. */
  tenant: nameId.nullable(),
  scopes: z.array(scope),
  only: restriction.nullable(),
  /** The secret before this one, after a rotation. */
  previous: z.object({ sha256: sha256Text, until: z.iso.datetime() }).nullable(),
  createdAt: z.iso.datetime(),
  createdBy: z.string().max(256),
  expiresAt: z.iso.datetime().nullable(),
  revokedAt: z.iso.datetime().nullable(),
  /** To the hour: a write for each call would be one too many. */
  lastUsedAt: z.iso.datetime().nullable(),
});
export type ApiKey = z.infer<typeof apiKeyRecord>;

export interface ApiKeyStore {
  get(id: string): Promise<Stored<ApiKey> | undefined>;
  insert(id: string, value: ApiKey): Promise<boolean>;
  update(stored: Stored<ApiKey>, value: ApiKey): Promise<Stored<ApiKey> | undefined>;
  list(): Promise<Stored<ApiKey>[]>;
  page(request: PageRequest): Promise<Page<Stored<ApiKey>>>;
}

export function apiKeyStore(table: TableClient): ApiKeyStore {
  const records = keyed(table, apiKeyRecord);
  return {
    get: (id) => records.get("keys", id),
    insert: (id, value) => records.insert("keys", id, value),
    update: records.update,
    list: () => records.list("keys", Number.POSITIVE_INFINITY),
    page: (request) => records.page("keys", request),
  };
}
