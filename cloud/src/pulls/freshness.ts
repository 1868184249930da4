/**
 * How old a pull's results may be (`freshness` of its definition). A look at the pull compares, writes in its cursor that
 * they are too old, or new again, and tells it; what died in between is told by the next look, as the same event.
 */
import { pullPartition } from "../store/ids.ts";
import type { Stored } from "../store/record.ts";
import { type Cursor, type DefinitionRecord, type PullKey, replaceCursor } from "../store/runs.ts";
import { commit } from "../store/tables.ts";
import { isoTime, type PullDeps } from "./deps.ts";

/** When a pull's results are too old, counted from the start of the run that was published last, or else from its making. */
function staleAtMs({ definition, createdAt }: DefinitionRecord, freshAt: string | null): number | undefined {
  const { freshness, paused } = definition;
  // Whoever paused it knows.
  if (freshness === undefined || paused) return undefined;
  return Date.parse(freshAt ?? createdAt) + freshness.maxAgeSeconds * 1000;
}

/** Compares and tells. Answers when to look again; undefined when a new run is what comes next. */
export async function checkFreshness(
  deps: PullDeps,
  key: PullKey,
  definition: DefinitionRecord,
  cursor: Stored<Cursor>,
  nowMs: number,
): Promise<number | undefined> {
  const { freshAt, freshness } = cursor.value;
  const dueMs = staleAtMs(definition, freshAt);
  const isStale = dueMs !== undefined && nowMs >= dueMs;
  const state = isStale ? "stale" : "fresh";
  const wasTold = freshness?.told !== false;
  // Nobody hears of results that never were too old.
  const hasChanged = wasTold && (freshness?.state ?? "fresh") !== state;
  let at = freshness;
  if (hasChanged) {
    at = { state, at: isoTime(nowMs), told: false };
    if (!(await write(deps, key, cursor, at))) return nowMs;
  }
  if (at !== null && !at.told) {
    const maxAgeSeconds = definition.definition.freshness?.maxAgeSeconds ?? 0;
    await deps.tellFreshness({ ...key, state: at.state, at: at.at, freshAt, maxAgeSeconds });
    const now = await deps.store.runs.cursor(key);
    if (now === undefined || !(await write(deps, key, now, { ...at, told: true }))) return nowMs;
  }
  return isStale ? undefined : dueMs;
}

async function write(
  deps: PullDeps,
  { tenant, pull }: PullKey,
  { value, etag }: Stored<Cursor>,
  freshness: Cursor["freshness"],
): Promise<boolean> {
  const changes = [replaceCursor({ ...value, freshness }, etag)];
  return (await commit(deps.store.runs.table, pullPartition(tenant, pull), changes)).ok;
}
