/**
 * Table `deliveries`: what webhooks are still to be sent, so that nothing is lost when a process dies.
 *
 * A *lane* is one webhook's events about one subject (a pull, an agent) and is a partition, `{tenant}|{webhook}|{subject}`:
 * `head` counts, `item|{n}` waits in the order of its number, `dead|{n}` was given up, and `seen|{digest}` keeps an event
 * that is told twice from being sent twice. Partitions `due{0..15}` say when to look at a lane again: a hint, written
 * before what it serves, as table `wake` does for pulls.
 */
import { createHash } from "node:crypto";
import type { TableClient } from "@azure/data-tables";
import { cloudEvent, deliveryFailure } from "@sallyport/shared/schema/events.ts";
import { nameId } from "@sallyport/shared/schema/ids.ts";
import { z } from "zod";
import { fromRow, type Stored, toProperties } from "./record.ts";
import {
  acrossPartitions,
  type Change,
  type Commit,
  commit,
  type Row,
  range,
  read,
  removeUnchanged,
} from "./tables.ts";

const time = z.iso.datetime();
const count = z.int().min(0);

const laneHead = z.object({
  /** The next item's number. */
  next: count,
  /** Failures in a row, and those of the event in front. */
  failures: count,
  attempts: count,
  /** Nothing is sent before. */
  nextAt: time.nullable(),
  /** Who delivers, until when; over by itself when that process dies. */
  holder: z.string(),
  heldUntil: time.nullable(),
});
export type LaneHead = z.infer<typeof laneHead>;

const laneItem = z.object({
  event: cloudEvent,
  /** When it was entered: it is given up a day later. */
  at: time,
});
export type LaneItem = z.infer<typeof laneItem>;

const deadItem = z.object({ event: cloudEvent, attempts: count, deadAt: time, failure: deliveryFailure });
export type DeadItem = z.infer<typeof deadItem>;

export interface LaneKey {
  readonly tenant: string;
  readonly webhook: string;
  /** An event's subject with a dot for its slash, which no key may hold: `pulls.orders`. */
  readonly lane: string;
}

export const laneOf = (subject: string): string => subject.replace("/", ".");
const LANE = /^(pulls|agents|webhooks)\.[a-z0-9-]{1,40}$/;

/** Throws RangeError for what is no lane: keys come from messages, too. */
function partitionOf({ tenant, webhook, lane }: LaneKey): string {
  if (!nameId.safeParse(tenant).success || !nameId.safeParse(webhook).success || !LANE.test(lane)) {
    throw new RangeError("not a lane");
  }
  return `${tenant}|${webhook}|${lane}`;
}

function laneKeyOf(partition: string): LaneKey | undefined {
  const [tenant = "", webhook = "", lane = ""] = partition.split("|");
  return nameId.safeParse(tenant).success && nameId.safeParse(webhook).success && LANE.test(lane)
    ? { tenant, webhook, lane }
    : undefined;
}

export interface DueEntry extends LaneKey {
  readonly row: Row;
}

export interface Numbered<T> {
  readonly n: number;
  readonly value: T;
  readonly row: string;
}

export interface LaneStore {
  head(key: LaneKey): Promise<Stored<LaneHead> | undefined>;
  items(key: LaneKey, most: number): Promise<Numbered<LaneItem>[]>;
  dead(key: LaneKey, n: number): Promise<Numbered<DeadItem> | undefined>;
  /** Of one webhook, or of all of the tenant's, in no order that means anything. */
  deadOf(tenant: string, webhook: string | undefined, most: number): Promise<(Numbered<DeadItem> & LaneKey)[]>;
  seen(key: LaneKey, digest: string): Promise<boolean>;
  commit(key: LaneKey, changes: readonly Change[]): Promise<Commit>;
  /** Rows of these kinds that were written before; at most `most` are deleted. */
  forget(key: LaneKey, beforeMs: number, most: number): Promise<number>;
  /** Everything of a lane, at most `most` rows. */
  clear(key: LaneKey, most: number): Promise<number>;
  insertDue(key: LaneKey, atMs: number): Promise<void>;
  due(nowMs: number, most: number): Promise<DueEntry[]>;
  removeDue(entry: DueEntry): Promise<void>;
}

const DUE_PARTITIONS: readonly string[] = Array.from({ length: 16 }, (_, index) => `due${index}`);
const numbered = (kind: "item" | "dead", n: number): string => `${kind}|${String(n).padStart(12, "0")}`;
const numberOf = (row: string): number => Number(row.slice(row.indexOf("|") + 1));

export function laneStore(table: TableClient, random: (bytes: number) => Buffer): LaneStore {
  return {
    async head(key) {
      const found = await read(table, partitionOf(key), "head");
      return found && fromRow(laneHead, found);
    },
    async items(key, most) {
      const found: Numbered<LaneItem>[] = [];
      for await (const row of range(table, partitionOf(key), "item|", "item}")) {
        found.push({ n: numberOf(row.row), value: fromRow(laneItem, row).value, row: row.row });
        if (found.length === most) break;
      }
      return found;
    },
    async dead(key, n) {
      const row = await read(table, partitionOf(key), numbered("dead", n));
      return row && { n, value: fromRow(deadItem, row).value, row: row.row };
    },
    async deadOf(tenant, webhook, most) {
      const prefix = webhook === undefined ? `${tenant}|` : `${tenant}|${webhook}|`;
      const found: (Numbered<DeadItem> & LaneKey)[] = [];
      for await (const row of acrossPartitions(table, prefix, "dead|", "dead}")) {
        const key = laneKeyOf(row.partition);
        if (key === undefined) continue;
        found.push({ ...key, n: numberOf(row.row), value: fromRow(deadItem, row).value, row: row.row });
        if (found.length === most) break;
      }
      return found;
    },
    seen: async (key, digest) => (await read(table, partitionOf(key), `seen|${digest}`)) !== undefined,
    commit: (key, changes) => commit(table, partitionOf(key), changes),
    async forget(key, beforeMs, most) {
      let gone = 0;
      for (const [from, to] of [
        ["dead|", "dead}"],
        ["seen|", "seen}"],
      ] as const) {
        for await (const row of range(table, partitionOf(key), from, to)) {
          if (gone === most) return gone;
          if (row.timestampMs < beforeMs && (await removeUnchanged(table, row))) gone += 1;
        }
      }
      return gone;
    },
    async clear(key, most) {
      let gone = 0;
      for await (const row of range(table, partitionOf(key), "", undefined)) {
        if (gone === most) break;
        await removeUnchanged(table, row);
        gone += 1;
      }
      return gone;
    },
    async insertDue(key, atMs) {
      const lane = partitionOf(key);
      const partition = DUE_PARTITIONS[createHash("sha256").update(lane).digest()[0]! % 16]!;
      const row = `${new Date(atMs).toISOString()}|${lane}|${random(8).toString("hex")}`;
      await commit(table, partition, [{ do: "insert", row, properties: {} }]);
    },
    async due(nowMs, most) {
      const until = `${new Date(nowMs).toISOString()}}`;
      const all = await Promise.all(DUE_PARTITIONS.map((partition) => dueOf(table, partition, until, most)));
      return all.flat();
    },
    async removeDue({ row }) {
      await removeUnchanged(table, row);
    },
  };
}

async function dueOf(table: TableClient, partition: string, until: string, most: number): Promise<DueEntry[]> {
  const found: DueEntry[] = [];
  for await (const row of range(table, partition, "", until)) {
    const [, tenant, webhook, lane] = row.row.split("|");
    const key = laneKeyOf(`${tenant}|${webhook}|${lane}`);
    if (key === undefined) continue;
    found.push({ ...key, row });
    if (found.length === most) break;
  }
  return found;
}

// The changes of a lane; each checks its record by the schema that reads it.

const properties = (schema: z.ZodObject, value: unknown) => toProperties(schema.parse(value));

export const writeHead = (value: LaneHead, etag: string | undefined): Change =>
  etag === undefined
    ? { do: "insert", row: "head", properties: properties(laneHead, value) }
    : { do: "replace", row: "head", properties: properties(laneHead, value), etag };
export const insertItem = (n: number, value: LaneItem): Change => ({
  do: "insert",
  row: numbered("item", n),
  properties: properties(laneItem, value),
});
export const insertDead = (n: number, value: DeadItem): Change => ({
  do: "insert",
  row: numbered("dead", n),
  properties: properties(deadItem, value),
});
export const insertSeen = (digest: string): Change => ({ do: "insert", row: `seen|${digest}`, properties: {} });
export const removeOf = (row: string): Change => ({ do: "remove", row });
