/**
 * Table `repeats`: answers of calls with an `Idempotency-Key`, for a day. PartitionKey the caller, RowKey the key's hash.
 * `expiresAt` says until when the row counts; the sweep deletes it later. Besides, for ever, a row `key` `current`, which
 * says what the bodies are hashed under.
 */
import type { TableClient } from "@azure/data-tables";
import { randomId, sha256Text } from "@sallyport/shared/schema/ids.ts";
import { z } from "zod";
import { type Keyed, keyed } from "./keyed.ts";

const repeatRecord = z.object({
  /** HMAC-SHA-256 over route, address and body: what the key was first used for. */
  request: sha256Text,
  /** What the work was told apart by: a repeat after a death goes on under it. */
  id: randomId.nullable(),
  startedAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  /** Null while the first call is under way. */
  status: z.int().nullable(),
  headers: z.record(z.string(), z.string()).nullable(),
  /** The answer's text; null too where it held a secret, which is shown once. */
  body: z.string().max(32_000).nullable(),
});
export type RepeatRecord = z.infer<typeof repeatRecord>;

export const repeatStore = (table: TableClient): Keyed<RepeatRecord> => keyed(table, repeatRecord);

const repeatKeyRecord = z.object({
  /** Of the secret that is the key. */
  version: z.string().min(1).max(128),
});
export type RepeatKeyRecord = z.infer<typeof repeatKeyRecord>;

export const repeatKeyStore = (table: TableClient): Keyed<RepeatKeyRecord> => keyed(table, repeatKeyRecord);
