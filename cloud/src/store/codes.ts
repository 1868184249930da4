/**
 * Table `codes`: PartitionKey the code's id, RowKey `code`. K is kept encrypted; use is one guarded update that replaces
 * it by the hash of the one request it served and the complete answer (docs/protocol.md, "Enrolment").
 */
import type { TableClient } from "@azure/data-tables";
import { base64url, nameId, randomId, sha256Text } from "@sallyport/shared/schema/ids.ts";
import { z } from "zod";
import { keyed } from "./keyed.ts";
import type { Stored } from "./record.ts";

const codeRecord = z.object({
  tenant: nameId,
  site: nameId,
  /** When that site was made: for one made again under its name the code is not valid. */
  siteAt: z.iso.datetime().nullish(),
  autoApprove: z.boolean(),
  createdBy: z.string().max(256),
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  /** K, encrypted by the secret store; null once used. */
  sealedKey: z.string().max(4096).nullable(),
  /** SHA-256 over code id, body and MAC of the request that used it. */
  usedBy: sha256Text.nullable(),
  agent: randomId.nullable(),
  /** What that request was answered, to be given again to exactly that request. */
  answer: z.object({ body: base64url, mac: sha256Text }).nullable(),
});
export type Code = z.infer<typeof codeRecord>;

export interface CodeStore {
  get(codeId: string): Promise<Stored<Code> | undefined>;
  insert(codeId: string, value: Code): Promise<boolean>;
  update(stored: Stored<Code>, value: Code): Promise<Stored<Code> | undefined>;
}

export function codeStore(table: TableClient): CodeStore {
  const records = keyed(table, codeRecord);
  return {
    get: (codeId) => records.get(codeId, "code"),
    insert: (codeId, value) => records.insert(codeId, "code", value),
    update: records.update,
  };
}
