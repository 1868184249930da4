/** Table `runs`: everything of one pull in one partition, so that a decision about it fits one transaction (docs/runs.md). */
import type { TableClient } from "@azure/data-tables";
import { MAX_WARNINGS, warning } from "@sallyport/shared/protocol/warnings.ts";
import { nameId, position, sha256Text, watermark } from "@sallyport/shared/schema/ids.ts";
import { plan } from "@sallyport/shared/schema/operations.ts";
import { pullDefinition, runState } from "@sallyport/shared/schema/pull.ts";
import { z } from "zod";
import { cancelRow, outRow, pullPartition, restRow, runRow, sliceRow } from "./ids.ts";
import type { PageRequest } from "./keyed.ts";
import { fromRow, type Stored, toProperties } from "./record.ts";
import { type Change, quoted, type Row, range, read } from "./tables.ts";

const time = z.iso.datetime();
const count = z.int().min(0);

const definitionRecord = z.object({
  definition: pullDefinition,
  revision: count,
  createdAt: time,
  /** When its connection was made: one made again under the name is another. */
  connectionAt: time.nullish(),
});
export type DefinitionRecord = z.infer<typeof definitionRecord>;

export const cursorRecord = z.object({
  epoch: count,
  /** The last decided manifest's number. */
  seq: count,
  /** The last told one's. */
  published: count,
  /** Below this, manifests no longer count. */
  oldest: count,
  /** The next decided run replaces everything before it. */
  replaces: z.boolean(),
  watermark: watermark.nullable(),
  activeRun: z.string().nullable(),
  nextFence: count,
  nextDue: time.nullable(),
  /** The start of the run that was decided last: its results are as new as that. */
  freshAt: time.nullable(),
  /** What was found of its age last, when, and whether that was told; null until there was something to tell. */
  freshness: z.object({ state: z.enum(["fresh", "stale"]), at: time, told: z.boolean() }).nullable(),
  /** When the pull was removed, by which call, and what of its definition still counts; null while there is a pull. */
  removed: z.object({ at: time, opId: z.string(), revision: count, retentionDays: count.nullable() }).nullable(),
});
export type Cursor = z.infer<typeof cursorRecord>;

export const runError = z.object({
  code: z.string(),
  message: z.string(),
  advice: z.string(),
  /** Numbers, states and names that the advice speaks of. */
  facts: z.record(z.string(), z.unknown()).default({}),
  at: z.string(),
});
export type RunError = z.infer<typeof runError>;

export const runRecord = z.object({
  state: runState,
  kind: z.enum(["scheduled", "manual", "backfill"]),
  epoch: count,
  /** Fixed by the first session, with `schema`, `policy`, `maskKey` and `asked`; null before. */
  plan: plan.nullable(),
  /** Digest of the columns with their types. */
  schema: sha256Text.nullable(),
  /** Digest of the agent's policy. */
  policy: sha256Text.nullable(),
  /** Id of the mask key that columns were hashed with; null where none is. */
  maskKey: sha256Text.nullable().default(null),
  /** Digest of what the definition asked for: connection, operation, watermark mode, sink. */
  asked: sha256Text.nullable(),
  /** What its rows are of, fixed with the plan; that of the pull may be another by now. */
  source: z.object({ connection: nameId, connectionAt: time.nullable() }).nullable(),
  from: watermark.nullable(),
  to: watermark.nullable(),
  position: position.nullable(),
  slices: count,
  complete: z.boolean(),
  rows: count,
  bytes: count,
  fence: count,
  holder: z.string(),
  leaseSeconds: count,
  claims: count,
  notBefore: time.nullable(),
  deadline: time,
  error: runError.nullable(),
  /** What its sessions noticed that is no error; null for nothing. */
  warnings: z.array(warning).max(MAX_WARNINGS).nullable(),
  seq: count.nullable(),
  listHash: sha256Text.nullable(),
  replaces: z.boolean(),
  opId: z.string(),
  startedAt: time,
  endedAt: time.nullable(),
});
export type Run = z.infer<typeof runRecord>;

export const sliceRecord = z.object({
  fence: count,
  list: z.string(),
  sha256: sha256Text,
  rows: count,
  bytes: count,
  from: position.nullable(),
  to: position.nullable(),
  schema: sha256Text,
  policy: sha256Text,
});
export type Slice = z.infer<typeof sliceRecord>;

const cancelRecord = z.object({ who: z.string().max(256), at: time });
export type Cancel = z.infer<typeof cancelRecord>;

/** An event still to be told. `seq` is that of the run's manifest, null when it has none. */
export const outRecord = z.object({ run: z.string(), seq: count.nullable(), state: runState });
export type Out = z.infer<typeof outRecord>;

/** A run that has ended, or expired: some time later, what is left of it in the blob store can be deleted. */
export interface Rest {
  readonly row: string;
  readonly run: string;
  readonly endedMs: number;
}

export interface PullKey {
  readonly tenant: string;
  readonly pull: string;
}

/** The records of one pull. Reading only: writing is `commit` with the changes below. */
export interface RunStore {
  readonly table: TableClient;
  definition(key: PullKey): Promise<Stored<DefinitionRecord> | undefined>;
  cursor(key: PullKey): Promise<Stored<Cursor> | undefined>;
  run(key: PullKey, run: string): Promise<Stored<Run> | undefined>;
  /** Newest first; `after`: the id of the last one seen. */
  runs(key: PullKey, most: number, after?: string): Promise<{ readonly id: string; readonly run: Stored<Run> }[]>;
  /** Oldest first. */
  queued(key: PullKey): Promise<{ readonly id: string; readonly run: Stored<Run> }[]>;
  slices(key: PullKey, run: string): Promise<Stored<Slice>[]>;
  cancel(key: PullKey, run: string): Promise<Stored<Cancel> | undefined>;
  /** In the order of their keys; the first `most`. */
  outs(key: PullKey, most: number): Promise<Stored<Out>[]>;
  out(key: PullKey, row: string): Promise<Stored<Out> | undefined>;
  /** What has ended and was not cleaned, oldest first; the first `most`. */
  rests(key: PullKey, most: number): Promise<Rest[]>;
  /** A page of all pulls of all tenants, by a scan of the table; `token` goes on after an earlier one. */
  page(most: number, token: string): Promise<{ readonly keys: readonly PullKey[]; readonly token: string }>;
  /** A tenant's pulls, by name: all of them, or a page. */
  definitions(
    tenant: string,
    page?: PageRequest,
  ): Promise<{ readonly pull: string; readonly definition: Stored<DefinitionRecord> }[]>;
}

export function runStore(table: TableClient): RunStore {
  const partition = (key: PullKey) => pullPartition(key.tenant, key.pull);
  const one = async <S extends z.ZodObject>(schema: S, key: PullKey, row: string) => {
    const found = await read(table, partition(key), row);
    return found && fromRow(schema, found);
  };
  const named = (row: Row) => ({ id: row.row.slice("run|".length), run: fromRow(runRecord, row) });
  return {
    table,
    definition: (key) => one(definitionRecord, key, "def"),
    cursor: (key) => one(cursorRecord, key, "cursor"),
    run: (key, run) => one(runRecord, key, runRow(run)),
    cancel: (key, run) => one(cancelRecord, key, cancelRow(run)),
    out: (key, row) => one(outRecord, key, row),
    async runs(key, most, after) {
      // Slices and cancel entities have no state, so this filter leaves them out.
      const from = after === undefined ? "run|" : `${runRow(after)} `;
      const rows = range(table, partition(key), from, "run}", "state gt ''");
      return (await first(rows, most)).map(named);
    },
    async queued(key) {
      const rows = await Array.fromAsync(range(table, partition(key), "run|", "run}", `state eq ${quoted("queued")}`));
      return rows.map(named).reverse();
    },
    async slices(key, run) {
      const rows = range(table, partition(key), sliceRow(run, 0), `run|${run}|slice}`);
      return (await Array.fromAsync(rows)).map((row) => fromRow(sliceRecord, row));
    },
    async outs(key, most) {
      return (await first(range(table, partition(key), "out|", "out}"), most)).map((row) => fromRow(outRecord, row));
    },
    async rests(key, most) {
      const rows = await first(range(table, partition(key), "rest|", "rest}"), most);
      return rows.map(({ row }) => {
        const [, endedAt, run] = row.split("|");
        return { row, run: run ?? "", endedMs: Date.parse(endedAt ?? "") };
      });
    },
    async page(most, token) {
      const list = table.listEntities({ queryOptions: { filter: "RowKey eq 'cursor'", select: ["PartitionKey"] } });
      const pages = list.byPage({ maxPageSize: most, ...(token === "" ? {} : { continuationToken: token }) });
      const { value: found } = await pages.next();
      const keys = [...(found ?? [])].map(({ partitionKey }) => {
        const [tenant = "", pull = ""] = String(partitionKey).split("|");
        return { tenant, pull };
      });
      return { keys, token: found?.continuationToken ?? "" };
    },
    async definitions(tenant, { most, after = "" } = { most: Number.POSITIVE_INFINITY }) {
      const filter = `PartitionKey gt ${quoted(`${tenant}|${after}`)} and PartitionKey lt ${quoted(`${tenant}}`)}`;
      const list = table.listEntities<Record<string, unknown>>({
        queryOptions: { filter: `${filter} and RowKey eq 'def'` },
      });
      const found: { pull: string; definition: Stored<DefinitionRecord> }[] = [];
      for await (const { partitionKey, etag, ...properties } of list) {
        const pull = String(partitionKey).slice(tenant.length + 1);
        const row = { partition: String(partitionKey), row: "def", etag, timestampMs: 0, readAtMs: 0, properties };
        found.push({ pull, definition: fromRow(definitionRecord, row) });
        if (found.length === most) break;
      }
      return found;
    },
  };
}

async function first<T>(list: AsyncIterable<T>, most: number): Promise<T[]> {
  const taken: T[] = [];
  for await (const item of list) {
    if (taken.length >= most) break;
    taken.push(item);
  }
  return taken;
}

// The changes a transaction may hold. Each checks its record by the same schema that reads it.

const properties = (schema: z.ZodObject, value: unknown) => toProperties(schema.parse(value));

export const insertDefinition = (value: DefinitionRecord): Change => ({
  do: "insert",
  row: "def",
  properties: properties(definitionRecord, value),
});
export const replaceDefinition = (value: DefinitionRecord, etag: string): Change => ({
  do: "replace",
  row: "def",
  properties: properties(definitionRecord, value),
  etag,
});
export const insertCursor = (value: Cursor): Change => ({
  do: "insert",
  row: "cursor",
  properties: properties(cursorRecord, value),
});
export const replaceCursor = (value: Cursor, etag: string): Change => ({
  do: "replace",
  row: "cursor",
  properties: properties(cursorRecord, value),
  etag,
});
export const insertRun = (run: string, value: Run): Change => ({
  do: "insert",
  row: runRow(run),
  properties: properties(runRecord, value),
});
export const replaceRun = (run: string, value: Run, etag: string): Change => ({
  do: "replace",
  row: runRow(run),
  properties: properties(runRecord, value),
  etag,
});
export const insertSlice = (run: string, slice: number, value: Slice): Change => ({
  do: "insert",
  row: sliceRow(run, slice),
  properties: properties(sliceRecord, value),
});
export const insertCancel = (run: string, value: Cancel): Change => ({
  do: "insert",
  row: cancelRow(run),
  properties: properties(cancelRecord, value),
});
export const insertOut = (at: number, value: Out): Change => ({
  do: "insert",
  row: outRow(at, value.run),
  properties: properties(outRecord, value),
});
export const insertRest = (endedAt: string, run: string): Change => ({
  do: "insert",
  row: restRow(endedAt, run),
  properties: {},
});
/** Of an `out` or a `rest` entity, or of the definition, guarded by a replace in the same transaction. */
export const removeRow = (row: string): Change => ({ do: "remove", row });
