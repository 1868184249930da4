/**
 * Table `wake`: when to look at a pull again. A hint only, written before the change it serves; 16 partitions, and the
 * time at the start of the row key, so that one tick is 16 range queries.
 */
import type { TableClient } from "@azure/data-tables";
import { nameId } from "@sallyport/shared/schema/ids.ts";
import { WAKE_PARTITIONS, wakePartition } from "./ids.ts";
import type { PullKey } from "./runs.ts";
import { type Change, commit, type Row, range, read, removeUnchanged } from "./tables.ts";

/** The partition that holds the re-index's place. */
const REINDEX = "reindex";

export interface WakeEntry extends PullKey {
  readonly atMs: number;
  readonly row: Row;
}

export interface WakeStore {
  readonly table: TableClient;
  /** `shared`: any other such entry for the same time is as good; for times far enough ahead that nobody removes it now. */
  insert(key: PullKey, atMs: number, shared?: boolean): Promise<void>;
  /** The entries up to `nowMs`, at most `most` of each partition, oldest first. */
  due(nowMs: number, most: number): Promise<WakeEntry[]>;
  /** The entries after `fromMs` and up to `untilMs`, at most `most` of each partition. */
  between(fromMs: number, untilMs: number, most: number): Promise<WakeEntry[]>;
  remove(entry: WakeEntry): Promise<void>;
  /** Where the slow re-index has got to: a continuation token, empty at the start of a round. */
  place(): Promise<Row | undefined>;
  /** False when somebody else has moved it. */
  move(from: Row | undefined, token: string): Promise<boolean>;
}

export function wakeStore(table: TableClient, random: (bytes: number) => Buffer): WakeStore {
  return {
    table,
    async insert({ tenant, pull }, atMs, shared = false) {
      const row = `${new Date(atMs).toISOString()}|${tenant}|${pull}|${shared ? "shared" : random(8).toString("hex")}`;
      const written = await commit(table, wakePartition(tenant, pull), [{ do: "insert", row, properties: {} }]);
      // An entry that exists already is one whose reply was lost: 64 random bits do not meet.
      if (!written.ok && written.refused !== 409) throw new Error(`wake entry refused with ${written.refused}`);
    },
    due: (nowMs, most) => ofAll(table, "", upTo(nowMs), most),
    between: (fromMs, untilMs, most) => ofAll(table, upTo(fromMs), upTo(untilMs), most),
    place: () => read(table, REINDEX, "at"),
    async move(from, token) {
      const properties = { token };
      const change: Change =
        from === undefined
          ? { do: "insert", row: "at", properties }
          : { do: "replace", row: "at", properties, etag: from.etag };
      return (await commit(table, REINDEX, [change])).ok;
    },
    async remove(entry) {
      await removeUnchanged(table, entry.row);
    },
  };
}

/** Sorts after every row key of this time. */
const upTo = (ms: number): string => `${new Date(ms).toISOString()}}`;

async function ofAll(table: TableClient, from: string, to: string, most: number): Promise<WakeEntry[]> {
  const partitions = await Promise.all(WAKE_PARTITIONS.map((partition) => entries(table, partition, from, to, most)));
  return partitions.flat().sort((a, b) => a.atMs - b.atMs);
}

async function entries(
  table: TableClient,
  partition: string,
  from: string,
  to: string,
  most: number,
): Promise<WakeEntry[]> {
  const found: WakeEntry[] = [];
  for await (const row of range(table, partition, from, to)) {
    const [at, tenant, pull] = row.row.split("|");
    const atMs = Date.parse(at ?? "");
    if (Number.isNaN(atMs) || !nameId.safeParse(tenant).success || !nameId.safeParse(pull).success) continue;
    found.push({ tenant: tenant!, pull: pull!, atMs, row });
    if (found.length === most) break;
  }
  return found;
}
