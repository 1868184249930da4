/**
 * Puts rows into Azurite's own file while it does not run: for each entity that it is given it looks at all that have the
 * same row key, so a hundred thousand pulls would take it hours.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ACCOUNT } from "../../emulators/azurite/start.ts";

/** One entity, as Azurite keeps it in LokiJS. */
export interface Entity {
  readonly PartitionKey: string;
  readonly RowKey: string;
  /** Ours with their types, the two keys and the time. */
  readonly properties: Readonly<Record<string, unknown>>;
  readonly $loki: number;
}

interface Collection {
  readonly name: string;
  readonly data: Entity[];
  idIndex: number[];
  maxId: number;
  readonly binaryIndices: Partial<Record<"PartitionKey" | "RowKey", { values: number[]; dirty: boolean }>>;
}

export interface Table {
  readonly entities: readonly Entity[];
  /** Adds one like another, under other keys. @param properties all of its own */
  add(like: Entity, partition: string, row: string, properties: Readonly<Record<string, unknown>>): void;
}

export interface TablesFile {
  /** @throws Error where there is none. */
  table(name: string): Table;
  save(): void;
}

/** @param folder that of an Azurite which has ended in order */
export function openTables(folder: string): TablesFile {
  const file = join(folder, "__azurite_db_table__.json");
  const database = JSON.parse(readFileSync(file, "utf8")) as { collections: Collection[] };
  return {
    table(name) {
      const collection = database.collections.find((each) => each.name === `${ACCOUNT}$${name}`);
      if (collection === undefined) throw new Error(`${file} has no table ${name}`);
      return {
        entities: collection.data,
        add(like, PartitionKey, RowKey, properties) {
          collection.maxId += 1;
          const keys = { PartitionKey, RowKey };
          collection.data.push({
            ...like,
            ...keys,
            properties: { ...properties, ...keys },
            $loki: collection.maxId,
          });
        },
      };
    },
    save() {
      for (const collection of database.collections) reindex(collection);
      writeFileSync(file, JSON.stringify(database));
    },
  };
}

/** As LokiJS keeps them: positions in the order of the property. */
function reindex(collection: Collection): void {
  collection.idIndex = collection.data.map(({ $loki }) => $loki);
  for (const name of ["PartitionKey", "RowKey"] as const) {
    const index = collection.binaryIndices[name];
    if (index === undefined) continue;
    const keys = collection.data.map((entity) => entity[name]);
    index.values = keys.map((_, at) => at).toSorted((a, b) => compare(keys[a]!, keys[b]!));
    index.dirty = false;
  }
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
