import type { Listener } from "./control.ts";
import type { AuthorizationRule, EntityOptions } from "./options.ts";
import { isBelow, pathSegments } from "./paths.ts";

/** One hybrid connection: its settings and the listeners connected to it now. */
export type Entity = {
  readonly path: string;
  readonly segments: readonly string[];
  readonly createdAt: Date;
  rules: readonly AuthorizationRule[];
  requiresClientAuthorization: boolean;
  userMetadata: string | undefined;
  updatedAt: Date;
  readonly listeners: Set<Listener>;
};

export type EntityTable = {
  /** Creates the entity, or changes its settings and keeps its listeners. */
  put(options: EntityOptions): { entity: Entity; created: boolean };
  remove(path: string): Entity | undefined;
  /** The entity of exactly this path. */
  get(path: string): Entity | undefined;
  /** The entity that serves this path: itself, or the longest one above it (senders may append a suffix). */
  serving(segments: readonly string[]): Entity | undefined;
  all(): Entity[];
};

export function makeEntityTable(initial: readonly EntityOptions[]): EntityTable {
  const table = new Map<string, Entity>();
  const keyOf = (path: string) => segmentsOf(path).join("/");

  function put(options: EntityOptions) {
    const key = keyOf(options.path);
    const existing = table.get(key);
    const now = new Date();
    const settings = {
      requiresClientAuthorization: options.requiresClientAuthorization ?? true,
      userMetadata: options.userMetadata,
      updatedAt: now,
    };
    if (existing) {
      Object.assign(existing, settings, options.rules ? { rules: options.rules } : {});
      return { entity: existing, created: false };
    }
    const entity: Entity = {
      path: options.path,
      segments: segmentsOf(options.path),
      createdAt: now,
      rules: options.rules ?? [],
      listeners: new Set(),
      ...settings,
    };
    table.set(key, entity);
    return { entity, created: true };
  }

  for (const options of initial) put(options);
  return {
    put,
    remove(path) {
      const entity = table.get(keyOf(path));
      if (entity) table.delete(keyOf(path));
      return entity;
    },
    get: (path) => table.get(keyOf(path)),
    serving(segments) {
      const above = [...table.values()].filter((entity) => isBelow(segments, entity.segments));
      return above.sort((a, b) => b.segments.length - a.segments.length)[0];
    },
    all: () => [...table.values()],
  };
}

function segmentsOf(path: string): string[] {
  const segments = pathSegments(path);
  if (!segments || segments.length === 0)
    throw new RangeError(`not a hybrid connection's path: ${JSON.stringify(path)}`);
  return segments;
}
