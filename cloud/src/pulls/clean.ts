/** Deleting what is over: blobs that no slice names, and results older than their pull keeps them (docs/runs.md steps 12, 13). */
import { manifest } from "@sallyport/shared/schema/pull.ts";
import { readWhole } from "../sinks/blob.ts";
import { pullPartition, splitRunId } from "../store/ids.ts";
import { type PullKey, type Rest, removeRow, replaceRun } from "../store/runs.ts";
import { commit, statusOf } from "../store/tables.ts";
import { isoTime, type PullDeps } from "./deps.ts";
import { manifestPath } from "./publish.ts";
import { expire, isFinal, lastToExpire, leftovers } from "./retention.ts";

/** Runs that one look at a pull cleans or expires at most. */
const MOST = 20;
const DAY_MS = 86_400_000;

/** Cleans the folders of runs that have rested. Answers when the next one has; undefined when there is none. */
export async function clean(deps: PullDeps, key: PullKey, nowMs: number): Promise<number | undefined> {
  const restMs = deps.settings.restSeconds * 1000;
  for (const rest of await deps.store.runs.rests(key, MOST)) {
    if (rest.endedMs + restMs > nowMs) return rest.endedMs + restMs;
    // Not final yet, as when its event cannot be told: later, and so are those after it.
    if (!(await cleanRun(deps, key, rest))) return nowMs + restMs / 24;
  }
  return (await deps.store.runs.rests(key, 1)).length > 0 ? nowMs : undefined;
}

async function cleanRun(deps: PullDeps, key: PullKey, { row, run: id }: Rest): Promise<boolean> {
  const { runs } = deps.store;
  const run = await runs.run(key, id);
  if (!run || !isFinal(run.value)) return false;
  const named = new Set<string>();
  for (const { value } of await runs.slices(key, id)) named.add(value.list.slice(0, value.list.lastIndexOf("/")));
  const blobs: string[] = [];
  const prefix = `${key.tenant}/${key.pull}/data/${id}/`;
  for await (const { name } of deps.blobs.listBlobsFlat({ prefix, includeUncommitedBlobs: true })) blobs.push(name);
  const over = leftovers(run.value, blobs, named);
  for (const path of over) await remove(deps, path);
  if (over.length > 0) deps.log("blobs cleaned", { ...key, run: id, blobs: over.length });
  const opId = deps.random(12).toString("hex");
  const changes = [replaceRun(id, { ...run.value, opId }, run.etag), removeRow(row)];
  const done = await commit(runs.table, pullPartition(key.tenant, key.pull), changes);
  return done.ok || done.refused === 404;
}

/** Of a blob with uncommitted blocks alone there is nothing to delete: the service forgets those after a week. */
async function remove(deps: PullDeps, path: string): Promise<void> {
  try {
    await deps.blobs.getBlobClient(path).delete();
  } catch (thrown) {
    if (statusOf(thrown) !== 404) throw thrown;
  }
}

/** Expires what is older than the pull keeps it. Answers when the next one will be; undefined when none will. */
export async function expireOld(
  deps: PullDeps,
  key: PullKey,
  retentionDays: number | undefined,
  nowMs: number,
): Promise<number | undefined> {
  const { runs } = deps.store;
  if (retentionDays === undefined) return undefined;
  for (let expired = 0; ; expired++) {
    const cursor = await runs.cursor(key);
    if (!cursor) return undefined;
    const { oldest } = cursor.value;
    if (oldest > 1) await removeManifests(deps, key, oldest);
    if (oldest > lastToExpire(cursor.value)) return undefined;
    if (expired === MOST) return nowMs;
    const id = await runOf(deps, key, oldest);
    const run = await runs.run(key, id);
    if (!run?.value.endedAt) return undefined;
    const dueMs = Date.parse(run.value.endedAt) + retentionDays * DAY_MS;
    if (dueMs > nowMs) return dueMs;
    const step = expire({ id, run, cursor }, isoTime(nowMs), deps.random(12).toString("hex"));
    if (!step) return undefined;
    await commit(runs.table, pullPartition(key.tenant, key.pull), step.changes);
  }
}

async function runOf(deps: PullDeps, key: PullKey, seq: number): Promise<string> {
  const content = await readWhole(deps.blobs, manifestPath(key, seq));
  return splitRunId(manifest.parse(JSON.parse(content.toString("utf8"))).run).run;
}

/** Those that count no more: the one that just expired, and whatever a publisher who slept for long has written again. */
async function removeManifests(deps: PullDeps, key: PullKey, oldest: number): Promise<void> {
  const first = manifestPath(key, oldest);
  // In the order of their names, so that those below come first.
  for await (const { name } of deps.blobs.listBlobsFlat({ prefix: first.slice(0, first.lastIndexOf("/") + 1) })) {
    if (name >= first) return;
    await remove(deps, name);
  }
}
