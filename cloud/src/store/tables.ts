/**
 * The one module that writes Azure Tables. A change is data, a transaction is a list of changes, and the answer of the
 * service (409, 412, 404) is a value. There is no unconditional update, no upsert and no conditional delete here.
 *
 * Measured on @azure/data-tables 13: a transaction's `update` without `{ etag }` as its fourth element is unconditional,
 * `entity.etag` is ignored, `getResponseForEntity` finds nothing, a null in a Merge clears nothing. So updates are
 * always Replace with an ETag, and new ETags are taken by position from `subResponses`.
 */
import type { TableClient, TransactionAction } from "@azure/data-tables";

export type Property = string | number | boolean | bigint;
export type Properties = Readonly<Record<string, Property>>;

export type Change =
  | { readonly do: "insert"; readonly row: string; readonly properties: Properties }
  | { readonly do: "replace"; readonly row: string; readonly properties: Properties; readonly etag: string }
  /** Guarded by a `replace` in the same transaction: a delete cannot be conditional in one. */
  | { readonly do: "remove"; readonly row: string };

/** `refused`: nothing was written. 404 a removed row was missing, 409 an inserted row exists, 412 an ETag is stale. */
export type Commit =
  | { readonly ok: true; readonly etags: readonly (string | undefined)[] }
  | { readonly ok: false; readonly refused: Refusal };
export type Refusal = 404 | 409 | 412;

/** An entity as read. `timestampMs` and `readAtMs` are both the service's clock (Timestamp, and the answer's Date). */
export interface Row {
  readonly partition: string;
  readonly row: string;
  readonly etag: string;
  readonly timestampMs: number;
  readonly readAtMs: number;
  readonly properties: Readonly<Record<string, unknown>>;
}

/** The code that the service answered, wherever the SDK has put it; undefined when no answer came. */
export function statusOf(thrown: unknown): number | undefined {
  const status = (thrown as { statusCode?: unknown } | null)?.statusCode;
  return typeof status === "number" ? status : undefined;
}

function refusalOf(thrown: unknown): Refusal {
  const status = statusOf(thrown);
  if (status === 404 || status === 409 || status === 412) return status;
  throw thrown;
}

/**
 * Writes all changes or none, in one entity-group transaction of one partition.
 * Throws RangeError for what Azure would refuse (Azurite takes more), and the SDK's error when there was no answer:
 * then it may have been applied, now or later.
 */
export async function commit(
  table: TableClient,
  partition: string,
  changes: readonly Change[],
  signal?: AbortSignal,
): Promise<Commit> {
  checkTransaction(partition, changes);
  const options = signal ? { abortSignal: signal } : {};
  try {
    const answer = await table.submitTransaction(
      changes.map((change) => action(partition, change)),
      options,
    );
    return { ok: true, etags: changes.map((_, index) => answer.subResponses[index]?.etag?.trim()) };
  } catch (thrown) {
    return { ok: false, refused: refusalOf(thrown) };
  }
}

function action(partition: string, change: Change): TransactionAction {
  const keys = { partitionKey: partition, rowKey: change.row };
  switch (change.do) {
    case "insert":
      return ["create", { ...change.properties, ...keys }];
    case "replace":
      return ["update", { ...change.properties, ...keys }, "Replace", { etag: change.etag }];
    case "remove":
      return ["delete", keys];
    default:
      throw change satisfies never;
  }
}

/** Reads one entity; undefined when there is none. */
export async function read(
  table: TableClient,
  partition: string,
  row: string,
  signal?: AbortSignal,
): Promise<Row | undefined> {
  let date: string | undefined;
  try {
    const entity = await table.getEntity<Record<string, unknown>>(partition, row, {
      onResponse: (raw) => {
        date = raw.headers.get("date");
      },
      ...(signal ? { abortSignal: signal } : {}),
    });
    return toRow(entity, date);
  } catch (thrown) {
    if (statusOf(thrown) === 404) return undefined;
    throw thrown;
  }
}

/** Reads the entities whose row key is in [from, to), in order, with an optional further OData filter; `to` undefined: to the partition's end. */
export async function* range(
  table: TableClient,
  partition: string,
  from: string,
  to: string | undefined,
  filter = "",
  signal?: AbortSignal,
): AsyncGenerator<Row> {
  const until = to === undefined ? "" : ` and RowKey lt ${quoted(to)}`;
  const keys = `PartitionKey eq ${quoted(partition)} and RowKey ge ${quoted(from)}${until}`;
  const list = table.listEntities<Record<string, unknown>>({
    queryOptions: { filter: filter ? `${keys} and ${filter}` : keys },
    ...(signal ? { abortSignal: signal } : {}),
  });
  for await (const entity of list) yield toRow(entity, undefined);
}

/** Reads the entities with row keys in [from, to) of all partitions whose key begins with `prefix`, which ends with a `|`. */
export async function* acrossPartitions(
  table: TableClient,
  prefix: string,
  from: string,
  to: string,
): AsyncGenerator<Row> {
  // `}` is what follows `|`.
  const partitions = `PartitionKey ge ${quoted(prefix)} and PartitionKey lt ${quoted(`${prefix.slice(0, -1)}}`)}`;
  yield* scan(table, `${partitions} and RowKey ge ${quoted(from)} and RowKey lt ${quoted(to)}`);
}

/** Reads the entities of all partitions that a filter takes: the whole table is scanned, a thousand rows an operation. */
export async function* scan(table: TableClient, filter: string): AsyncGenerator<Row> {
  const list = table.listEntities<Record<string, unknown>>({ queryOptions: { filter } });
  for await (const entity of list) yield toRow(entity, undefined);
}

/** Deletes one entity if nobody changed it since it was read; false when somebody did or it is gone. */
export async function removeUnchanged(table: TableClient, row: Row, signal?: AbortSignal): Promise<boolean> {
  const options = { etag: row.etag, ...(signal ? { abortSignal: signal } : {}) };
  try {
    await table.deleteEntity(row.partition, row.row, options);
    return true;
  } catch (thrown) {
    refusalOf(thrown);
    return false;
  }
}

/** An OData string literal. */
export const quoted = (text: string): string => `'${text.replaceAll("'", "''")}'`;

function toRow(entity: Record<string, unknown>, date: string | undefined): Row {
  const { partitionKey, rowKey, etag, timestamp, "odata.metadata": _, ...properties } = entity;
  return {
    partition: String(partitionKey),
    row: String(rowKey),
    etag: String(etag),
    timestampMs: Date.parse(String(timestamp)),
    readAtMs: date === undefined ? Number.NaN : Date.parse(date),
    properties,
  };
}

// Limits of the service, https://learn.microsoft.com/rest/api/storageservices/understanding-the-table-service-data-model
const MAX_OPERATIONS = 100;
const MAX_TRANSACTION_BYTES = 4 * 2 ** 20;
const MAX_ENTITY_BYTES = 2 ** 20;
const MAX_PROPERTY_CHARACTERS = 32_768;
/** 255 less the three system properties. */
const MAX_PROPERTIES = 252;
const MAX_KEY_CHARACTERS = 512;
/** Headers and JSON syntax around each operation of the multipart body, rounded up. */
const OPERATION_OVERHEAD_BYTES = 1024;

function checkTransaction(partition: string, changes: readonly Change[]): void {
  if (changes.length === 0 || changes.length > MAX_OPERATIONS) {
    throw new RangeError(`a transaction has 1 to ${MAX_OPERATIONS} operations, not ${changes.length}`);
  }
  const rows = new Set(changes.map((change) => change.row));
  if (rows.size !== changes.length) throw new RangeError("an entity may stand only once in a transaction");
  const removes = changes.some((change) => change.do === "remove");
  if (removes && !changes.some((change) => change.do === "replace")) {
    throw new RangeError("a delete needs an update with an ETag in the same transaction");
  }
  let bytes = 0;
  for (const change of changes) bytes += checkChange(partition, change) + OPERATION_OVERHEAD_BYTES;
  if (bytes > MAX_TRANSACTION_BYTES) throw new RangeError("a transaction is at most 4 MiB");
}

function checkChange(partition: string, change: Change): number {
  for (const key of [partition, change.row]) {
    if (key.length > MAX_KEY_CHARACTERS || /[/\\#?\p{Cc}]/u.test(key)) throw new RangeError(`not a key: ${key}`);
  }
  if (change.do === "remove") return 0;
  if (change.do === "replace" && !/^W\//.test(change.etag)) throw new RangeError("an update needs the ETag of a read");
  const entries = Object.entries(change.properties);
  if (entries.length > MAX_PROPERTIES) throw new RangeError(`an entity has at most ${MAX_PROPERTIES} properties`);
  let bytes = 2 * (partition.length + change.row.length);
  let wire = 0;
  for (const [name, value] of entries) {
    if (typeof value === "string") {
      if (value.length > MAX_PROPERTY_CHARACTERS) throw new RangeError(`${name} is over 32,768 characters`);
      wire += Buffer.byteLength(JSON.stringify(value));
    }
    bytes += 8 + 2 * name.length + (typeof value === "string" ? 4 + 2 * value.length : 16);
    wire += name.length * 2 + 64;
  }
  if (bytes > MAX_ENTITY_BYTES) throw new RangeError("an entity is at most 1 MiB");
  return wire;
}
