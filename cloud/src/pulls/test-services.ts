/** Tables and blobs in memory for the model's world: the few calls that the product makes, each through a given `call`. */
import type { TableClient, TransactionAction } from "@azure/data-tables";
import type { ContainerClient } from "@azure/storage-blob";

/** How a request reaches the service, if it does. */
export type Call = <T>(isWrite: boolean, apply: () => T) => Promise<T>;

export interface Entity {
  readonly properties: Record<string, unknown>;
  readonly etag: string;
  readonly timestamp: string;
}
export interface MemoryTable {
  readonly entities: Map<string, Entity>;
  readonly call: Call;
  readonly nowMs: () => number;
  readonly newEtag: () => string;
}
export interface MemoryContainer {
  readonly blobs: Map<string, Buffer>;
  readonly hashes: Map<string, string>;
  readonly call: Call;
}

export const failure = (statusCode?: number): Error & { statusCode: number | undefined } =>
  Object.assign(new Error(`status ${statusCode}`), { statusCode });

/** One table. `nowMs` is the service's clock, `newEtag` draws versions. */
export function memoryTable({ entities, call, nowMs, newEtag }: MemoryTable): TableClient {
  const keyOf = (partition: string, row: string) => `${partition}\n${row}`;
  const shown = (key: string, { properties, etag, timestamp }: Entity) => {
    const [partitionKey, rowKey] = key.split("\n");
    return { ...properties, partitionKey, rowKey, etag, timestamp };
  };
  const check = ([act, entity, , options]: TransactionAction) => {
    const found = entities.get(keyOf(entity.partitionKey, entity.rowKey));
    if (act === "create" && found) throw failure(409);
    if (act !== "create" && !found) throw failure(404);
    if (act === "update" && options?.etag !== found?.etag) throw failure(412);
  };
  const write = ([act, { partitionKey, rowKey, ...properties }]: TransactionAction) => {
    const key = keyOf(partitionKey, rowKey);
    if (act === "delete") {
      entities.delete(key);
      return {};
    }
    const etag = newEtag();
    entities.set(key, { properties, etag, timestamp: new Date(nowMs()).toISOString() });
    return { etag };
  };
  const client = {
    submitTransaction: (actions: TransactionAction[]) =>
      call(true, () => {
        for (const action of actions) check(action);
        return { subResponses: actions.map(write) };
      }),
    getEntity: (partition: string, row: string, options: { onResponse(raw: unknown): void }) =>
      call(false, () => {
        // The service's Date has whole seconds.
        const date = new Date(nowMs() - (nowMs() % 1000)).toUTCString();
        options.onResponse({ headers: { get: () => date } });
        const key = keyOf(partition, row);
        const found = entities.get(key);
        if (!found) throw failure(404);
        return shown(key, found);
      }),
    async *listEntities({ queryOptions: { filter } }: { queryOptions: { filter: string } }) {
      const matches = filterOf(filter);
      yield* await call(false, () =>
        [...entities]
          .map(([key, entity]) => shown(key, entity))
          .filter(matches)
          .sort((a, b) => (a.rowKey! < b.rowKey! ? -1 : 1)),
      );
    },
    deleteEntity: (partition: string, row: string, { etag }: { etag: string }) =>
      call(true, () => {
        const found = entities.get(keyOf(partition, row));
        if (!found) throw failure(404);
        if (found.etag !== etag) throw failure(412);
        entities.delete(keyOf(partition, row));
      }),
  };
  return client as unknown as TableClient;
}

/** One container: what the product uses of it. */
export function memoryContainer({ blobs, hashes, call }: MemoryContainer): ContainerClient {
  const blob = (path: string) => ({
    name: path,
    upload: (content: Uint8Array, _: number, { metadata }: { metadata: { sha256: string } }) =>
      call(true, () => {
        if (blobs.has(path)) throw failure(409);
        blobs.set(path, Buffer.from(content));
        hashes.set(path, metadata.sha256);
      }),
    getProperties: () => call(false, () => ({ metadata: { sha256: hashes.get(path) } })),
    delete: () =>
      call(true, () => {
        if (!blobs.delete(path)) throw failure(404);
      }),
    downloadToBuffer: () =>
      call(false, () => {
        const content = blobs.get(path);
        if (!content) throw failure(404);
        return content;
      }),
  });
  async function* listBlobsFlat({ prefix }: { prefix: string }) {
    yield* await call(false, () =>
      [...blobs.keys()]
        .filter((name) => name.startsWith(prefix))
        .sort()
        .map((name) => ({ name })),
    );
  }
  return { getBlockBlobClient: blob, getBlobClient: blob, listBlobsFlat } as unknown as ContainerClient;
}

/** The few filters that the store uses. */
function filterOf(filter: string): (entity: Record<string, unknown>) => boolean {
  const clauses = filter.split(" and ").map((clause) => /^(\w+) (eq|ge|gt|lt) '(.*)'$/.exec(clause)!.slice(1));
  return (entity) =>
    clauses.every(([name, operator, operand]) => {
      const value = entity[name!.charAt(0).toLowerCase() + name!.slice(1)];
      if (typeof value !== "string") return false;
      if (operator === "eq") return value === operand;
      if (operator === "lt") return value < operand!;
      return operator === "ge" ? value >= operand! : value > operand!;
    });
}
