/**
 * Removing a pull: its definition goes, and with it schedule, watermark and place in the quota. What it has brought stays:
 * runs, manifests and files can be read as before, and the cursor keeps their numbers, so that a pull that is made again
 * under the name never writes over them (docs/runs.md, "Removal").
 */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { publicRunId, pullPartition } from "../store/ids.ts";
import type { Stored } from "../store/record.ts";
import { type Cursor, type DefinitionRecord, type PullKey, removeRow, replaceCursor } from "../store/runs.ts";
import { type Change, commit } from "../store/tables.ts";
import { isoTime, type PullDeps } from "./deps.ts";
import { changed, noPull } from "./refusals.ts";
import { hasEnded } from "./run.ts";
import { lookAgain } from "./tries.ts";
import { type Wake, wakeBefore } from "./wake.ts";

/**
 * Removes a pull that has no unfinished run; with `revision` only where it is still that one. Answers when.
 * @throws api.not_found, api.conflict while a run is under way or waits, api.changed
 */
export async function removePull(deps: PullDeps, key: PullKey, revision?: number): Promise<string> {
  const { runs } = deps.store;
  let wake: Wake | undefined;
  const opId = deps.random(12).toString("hex");
  const removedAt = await lookAgain(async () => {
    // The cursor first: whatever changes the definition or starts a run writes it, too, so its ETag guards what follows.
    const cursor = await runs.cursor(key);
    // A commit whose answer was lost, and that was sent again, comes back as 412.
    if (cursor?.value.removed?.opId === opId) return cursor.value.removed.at;
    if (!cursor || cursor.value.removed) throw noPull(key);
    const definition = await runs.definition(key);
    if (!definition) return undefined;
    if (revision !== undefined && revision !== definition.value.revision) throw changed();
    await requireIdle(deps, key, cursor);
    const at = isoTime(deps.clock.now());
    const changes = removal(cursor, definition.value, at, opId);
    // Somebody has to look when its newest result is over, which nothing else of a removed pull brings about.
    if (definition.value.definition.retentionDays !== undefined) {
      if (wake === undefined) wake = await wakeBefore(deps, key, deps.clock.now());
      else await wake.keepFresh();
    }
    return (await commit(runs.table, pullPartition(key.tenant, key.pull), changes)).ok ? at : undefined;
  });
  if (removedAt === undefined) throw changed();
  return removedAt;
}

/** The epoch is another, so that a run which is inserted late, as of before, ends as superseded and reads nothing. */
function removal(cursor: Stored<Cursor>, definition: DefinitionRecord, at: string, opId: string): readonly Change[] {
  const { value } = cursor;
  const retentionDays = definition.definition.retentionDays ?? null;
  const gone: Cursor = {
    ...value,
    ...{ epoch: value.epoch + 1, activeRun: null, nextDue: null, freshAt: null, freshness: null },
    // Of a pull that is made again under this name: it reads everything, and its first manifest replaces all of these.
    ...{ watermark: null, replaces: value.seq > 0 },
    removed: { at, opId, revision: definition.revision, retentionDays },
  };
  return [replaceCursor(gone, cursor.etag), removeRow("def")];
}

async function requireIdle({ store }: PullDeps, key: PullKey, { value }: Stored<Cursor>): Promise<void> {
  const [queued] = await store.runs.queued(key);
  const active = value.activeRun === null ? undefined : await store.runs.run(key, value.activeRun);
  const busy = active && !hasEnded(active.value) ? value.activeRun : queued?.id;
  if (busy === null || busy === undefined) return;
  const run = publicRunId(key.pull, busy);
  const message = `Run ${run} has not ended. Pause the pull and cancel the run, or wait for it, then remove the pull.`;
  throw new SallyportError("api.conflict", message, { run });
}
