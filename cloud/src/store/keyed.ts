/** A table of one kind of record, found by its two keys. What each of them is stands in the record's own file. */
import type { TableClient } from "@azure/data-tables";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { z } from "zod";
import { fromRow, type Stored, toProperties } from "./record.ts";
import { type Change, commit, quoted, range, read, removeUnchanged, scan } from "./tables.ts";

/** `after`: the row key that the page before ended with. */
export interface PageRequest {
  readonly most: number;
  readonly after?: string | undefined;
}
export interface Page<T> {
  readonly items: readonly T[];
  /** What the next page comes after; undefined when there is none. */
  readonly next: string | undefined;
}

export interface Keyed<T> {
  readonly table: TableClient;
  get(partition: string, row: string): Promise<Stored<T> | undefined>;
  /** False when it exists already. Atomic: of two inserts of one key, one gets true. */
  insert(partition: string, row: string, value: T): Promise<boolean>;
  /** Writes the whole record if nobody changed it since `stored` was read; undefined when somebody did, or it is gone. */
  update(stored: Stored<T>, value: T): Promise<Stored<T> | undefined>;
  /** Deletes it if nobody changed it since; false when somebody did. */
  remove(stored: Stored<T>): Promise<boolean>;
  /** A partition in the order of its row keys; `most` is 1,000 by default. */
  list(partition: string, most?: number): Promise<Stored<T>[]>;
  /** A page of a partition in the order of its row keys. */
  page(partition: string, request: PageRequest): Promise<Page<Stored<T>>>;
  /** What `expiresAt` says is over, of all partitions; at most `most`. */
  expired(beforeIso: string, most: number): Promise<Stored<T>[]>;
  /** All partitions, by an OData filter. */
  scan(filter: string): Promise<Stored<T>[]>;
}

/** After so many others in a row something else is wrong. */
const MEETINGS = 10;

/**
 * Writes a record again as it is, so that whoever would delete it by what was read before is refused: called after
 * something was made that leans on it. Undefined when it is gone already. @throws api.changed
 */
export async function touch<T>(
  records: Pick<Keyed<T>, "get" | "update">,
  partition: string,
  row: string,
): Promise<Stored<T> | undefined> {
  for (let met = 0; met < MEETINGS; met++) {
    const stored = await records.get(partition, row);
    if (stored === undefined) return undefined;
    const written = await records.update(stored, stored.value);
    if (written !== undefined) return written;
  }
  throw new SallyportError("api.changed", `The record of ${row} is being changed by too many.`);
}

export function keyed<S extends z.ZodObject>(table: TableClient, schema: S): Keyed<z.infer<S>> {
  const properties = (value: z.infer<S>) => toProperties(schema.parse(value));
  return {
    table,
    async get(partition, row) {
      const found = await read(table, partition, row);
      return found && fromRow(schema, found);
    },
    async insert(partition, row, value) {
      const change: Change = { do: "insert", row, properties: properties(value) };
      return (await commit(table, partition, [change])).ok;
    },
    async update({ row: old, etag }, value) {
      const change: Change = { do: "replace", row: old.row, properties: properties(value), etag };
      const done = await commit(table, old.partition, [change]);
      if (!done.ok) return undefined;
      const written = done.etags[0];
      if (written === undefined) throw new Error("the table service answered an update without an ETag");
      return { value, etag: written, row: { ...old, etag: written, properties: change.properties } };
    },
    remove: (stored) => removeUnchanged(table, { ...stored.row, etag: stored.etag }),
    async list(partition, most = 1000) {
      const found: Stored<z.infer<S>>[] = [];
      for await (const row of range(table, partition, "", undefined)) {
        found.push(fromRow(schema, row));
        if (found.length === most) break;
      }
      return found;
    },
    async page(partition, { most, after }) {
      const found: Stored<z.infer<S>>[] = [];
      // A space sorts before every sign that a row key may hold.
      for await (const row of range(table, partition, after === undefined ? "" : `${after} `, undefined)) {
        if (found.length === most) return { items: found, next: found.at(-1)?.row.row };
        found.push(fromRow(schema, row));
      }
      return { items: found, next: undefined };
    },
    async expired(beforeIso, most) {
      const found: Stored<z.infer<S>>[] = [];
      for await (const row of scan(table, `expiresAt lt ${quoted(beforeIso)}`)) {
        found.push(fromRow(schema, row));
        if (found.length === most) break;
      }
      return found;
    },
    scan: async (filter) => (await Array.fromAsync(scan(table, filter))).map((row) => fromRow(schema, row)),
  };
}
