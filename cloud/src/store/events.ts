/**
 * Table `events`: what was told of a tenant, for those who ask later. PartitionKey the tenant, RowKey
 * `{inverted time}-{digest of the id}`: the newest first, and an event that is told again is the same row.
 */
import { createHash } from "node:crypto";
import type { TableClient } from "@azure/data-tables";
import { type CloudEvent, cloudEvent } from "@sallyport/shared/schema/events.ts";
import { z } from "zod";
import { keyed, type Page, type PageRequest } from "./keyed.ts";
import { range, removeUnchanged } from "./tables.ts";

const eventRecord = z.object({ event: cloudEvent });

export interface EventStore {
  /** An event that is there already stays as it is. */
  insert(tenant: string, event: CloudEvent): Promise<void>;
  /** Newest first. */
  page(tenant: string, request: PageRequest): Promise<Page<CloudEvent>>;
  /** Deletes what is older, the newest of it first, at most `most`. Answers how many. */
  forget(tenant: string, beforeMs: number, most: number): Promise<number>;
}

const LATEST_MS = 9_999_999_999_999;
const inverted = (ms: number): string => String(LATEST_MS - ms).padStart(13, "0");

/** Of an event's identity, as a part of a row key. */
export const eventDigest = ({ source, id }: Pick<CloudEvent, "source" | "id">): string =>
  createHash("sha256").update(`${source}\0${id}`).digest("base64url").slice(0, 22);

export function eventStore(table: TableClient): EventStore {
  const records = keyed(table, eventRecord);
  return {
    async insert(tenant, event) {
      await records.insert(tenant, `${inverted(Date.parse(event.time))}-${eventDigest(event)}`, { event });
    },
    async page(tenant, request) {
      const { items, next } = await records.page(tenant, request);
      return { items: items.map(({ value }) => value.event), next };
    },
    async forget(tenant, beforeMs, most) {
      let gone = 0;
      for await (const row of range(table, tenant, inverted(beforeMs), undefined)) {
        if (gone === most) break;
        await removeUnchanged(table, row);
        gone += 1;
      }
      return gone;
    },
  };
}
