/**
 * Table `wake`: when to look at a pull again. A hint only, written before the change it serves; 16 partitions, and the
 * time at the start of the row key, so that one tick is 16 range queries.
 */
import type { TableClient } from "@azure/data-tables";
import { nameId } from "@sallyport/shared/schema/ids.ts";
import { WAKE_PARTITIONS, wakePartition } from "./ids.ts";
import type { PullKey } from "./runs.ts";
import { commit, type Row, range, removeUnchanged } from "./tables.ts";

export interface WakeEntry extends PullKey {
  readonly atMs: number;
  readonly row: Row;
}

export interface WakeStore {
  readonly table: TableClient;
  insert(key: PullKey, atMs: number): Promise<void>;
  /** The entries up to `nowMs`, at most `most` of each partition, oldest first. */
  due(nowMs: number, most: number): Promise<WakeEntry[]>;
  remove(entry: WakeEntry): Promise<void>;
}

export function wakeStore(table: TableClient, random: (bytes: number) => Buffer): WakeStore {
  return {
    table,
    async insert({ tenant, pull }, atMs) {
      const row = `${new Date(atMs).toISOString()}|${tenant}|${pull}|${random(8).toString("hex")}`;
      const written = await commit(table, wakePartition(tenant, pull), [{ do: "insert", row, properties: {} }]);
      // An entry that exists already is one whose reply was lost: 64 random bits do not meet.
      if (!written.ok && written.refused !== 409) throw new Error(`wake entry refused with ${written.refused}`);
    },
    async due(nowMs, most) {
      const upTo = `${new Date(nowMs).toISOString()}}`;
      const partitions = await Promise.all(WAKE_PARTITIONS.map((partition) => entries(table, partition, upTo, most)));
      return partitions.flat().sort((a, b) => a.atMs - b.atMs);
    },
    async remove(entry) {
      await removeUnchanged(table, entry.row);
    },
  };
}

async function entries(table: TableClient, partition: string, upTo: string, most: number): Promise<WakeEntry[]> {
  const found: WakeEntry[] = [];
  for await (const row of range(table, partition, "", upTo)) {
    const [at, tenant, pull] = row.row.split("|");
    const atMs = Date.parse(at ?? "");
    if (Number.isNaN(atMs) || !nameId.safeParse(tenant).success || !nameId.safeParse(pull).success) continue;
    found.push({ tenant: tenant!, pull: pull!, atMs, row });
    if (found.length === most) break;
  }
  return found;
}
