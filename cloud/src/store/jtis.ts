/** Table `jtis`: PartitionKey the agent, RowKey the hash of a token's id. One atomic insert says whether it is new. */
import { createHash } from "node:crypto";
import type { TableClient } from "@azure/data-tables";
import { z } from "zod";
import { type Keyed, keyed } from "./keyed.ts";

const jtiRecord = z.object({ expiresAt: z.iso.datetime() });

export interface JtiStore {
  /** False when this agent has used it before: a replay. `expiresAt` says until when the row must stay. */
  use(agent: string, jti: string, expiresAt: string): Promise<boolean>;
  expired: Keyed<z.infer<typeof jtiRecord>>["expired"];
  remove: Keyed<z.infer<typeof jtiRecord>>["remove"];
}

export function jtiStore(table: TableClient): JtiStore {
  const records = keyed(table, jtiRecord);
  // The id comes from outside and may hold what a key may not.
  const row = (jti: string) => createHash("sha256").update(jti).digest("base64url");
  return {
    use: (agent, jti, expiresAt) => records.insert(agent, row(jti), { expiresAt }),
    expired: records.expired,
    remove: records.remove,
  };
}
