/** What people see of runs and their results. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { WARNINGS } from "@sallyport/shared/protocol/warnings.ts";
import type { NewRunBody, PullView, partsView, RunView } from "@sallyport/shared/schema/api.ts";
import { manifest, type PullDefinition } from "@sallyport/shared/schema/pull.ts";
import type { z } from "zod";
import { suggestionFor } from "../requests/suggest.ts";
import { readWhole } from "../sinks/blob.ts";
import { publicRunId, splitRunId } from "../store/ids.ts";
import type { Page, PageRequest } from "../store/keyed.ts";
import type { PullKey, Run } from "../store/runs.ts";
import { isoTime, type PullDeps } from "./deps.ts";
import { manifestPath } from "./publish.ts";
import { noPull } from "./refusals.ts";
import { insertRunByHand, retryRun } from "./start.ts";

export type PartsView = z.infer<typeof partsView>;

function viewOf(pull: string, id: string, run: Run, definition: PullDefinition | undefined): RunView {
  const { state, kind, rows, bytes, slices, seq, from, to, error, startedAt, endedAt } = run;
  return {
    id: publicRunId(pull, id),
    pull,
    state,
    kind,
    rows,
    bytes,
    slices,
    seq,
    from,
    to,
    error,
    suggestion: definition === undefined ? null : suggested(error, definition),
    warnings: (run.warnings ?? []).map(({ code, facts }) => ({ code, message: WARNINGS[code], facts })),
    startedAt,
    endedAt,
  };
}

const suggested = (error: Run["error"], { connection, operation }: PullDefinition): RunView["suggestion"] =>
  error && suggestionFor({ code: error.code, detail: error.facts }, connection, operation);

/** Starts a run by hand. Throws `api.not_found`, `api.invalid`. */
export async function startRun(
  deps: PullDeps,
  tenant: string,
  pull: string,
  wish: NewRunBody = { kind: "manual" },
): Promise<RunView> {
  const id = await insertRunByHand(deps, { tenant, pull }, wish);
  return getRun(deps, tenant, publicRunId(pull, id));
}

/** Starts a failed or cancelled run again. Throws `api.not_found`, `api.conflict`. */
export async function startAgain(deps: PullDeps, tenant: string, runId: string): Promise<RunView> {
  const id = await retryRun(deps, tenant, runId);
  return getRun(deps, tenant, publicRunId(splitRunId(runId).pull, id));
}

/** Throws `api.not_found`. */
export async function getRun(deps: PullDeps, tenant: string, runId: string): Promise<RunView> {
  const { key, id, run } = await find(deps, tenant, runId);
  const isDenied = run.error?.code === "policy.denied";
  const stored = isDenied ? await deps.store.runs.definition(key) : undefined;
  return viewOf(key.pull, id, run, stored?.value.definition);
}

/** A pull with how far it has got. Throws `api.not_found`. */
export async function getPull(deps: PullDeps, tenant: string, pull: string): Promise<PullView> {
  const key = { tenant, pull };
  const [stored, cursor] = await Promise.all([deps.store.runs.definition(key), deps.store.runs.cursor(key)]);
  if (!stored || !cursor) throw noPull(key);
  const { revision, definition } = stored.value;
  const { watermark, seq, oldest, activeRun, nextDue } = cursor.value;
  const active = activeRun === null ? null : publicRunId(pull, activeRun);
  return { id: pull, revision, definition, watermark, seq, oldest, activeRun: active, nextDue };
}

export interface ListedPull {
  readonly id: string;
  readonly revision: number;
  readonly definition: PullDefinition;
}

/** A tenant's pulls, by name. */
export async function listPulls(deps: PullDeps, tenant: string, page: PageRequest): Promise<Page<ListedPull>> {
  const all = await deps.store.runs.definitions(tenant, { ...page, most: page.most + 1 });
  const items = all.slice(0, page.most).map(({ pull, definition: { value } }) => ({
    id: pull,
    revision: value.revision,
    definition: value.definition,
  }));
  return { items, next: all.length > page.most ? items.at(-1)?.id : undefined };
}

/**
 * Newest first; of a removed pull, too. `sees`: whether a run is shown, by what it has read. Throws `api.not_found` where
 * there never was one.
 */
export async function listRuns(
  deps: PullDeps,
  tenant: string,
  pull: string,
  page: PageRequest = { most: 50 },
  sees?: (source: Run["source"]) => Promise<boolean>,
): Promise<Page<RunView>> {
  const key = { tenant, pull };
  const [stored, cursor] = await Promise.all([deps.store.runs.definition(key), deps.store.runs.cursor(key)]);
  if (!cursor) throw noPull(key);
  const runs = await deps.store.runs.runs(key, page.most + 1, page.after);
  const looked = runs.slice(0, page.most);
  const items: RunView[] = [];
  for (const { id, run } of looked) {
    if (sees === undefined || (await sees(run.value.source)))
      items.push(viewOf(pull, id, run.value, stored?.value.definition));
  }
  return { items, next: runs.length > page.most ? looked.at(-1)?.id : undefined };
}

/**
 * A published run's manifest and parts with links that read one file each for ten minutes; without parts for a run that
 * has no manifest, or not yet. Throws `api.not_found`, `storage.failed`.
 */
export async function getParts(deps: PullDeps, tenant: string, runId: string): Promise<PartsView> {
  const { key, run } = await find(deps, tenant, runId);
  const path = run.seq === null ? undefined : manifestPath(key, run.seq);
  // A decided run's manifest may not be written yet; once it is, a deaf listener of events takes nothing from it.
  const visible = path !== undefined && (run.state === "published" || (await isThere(deps, path)));
  if (!visible) return { run: runId, manifest: null, parts: [] };
  const content = manifest.parse(JSON.parse((await readWhole(deps.blobs, path)).toString("utf8")));
  const expiresAtMs = deps.clock.now() + deps.settings.linkSeconds * 1000;
  const expiresAt = isoTime(expiresAtMs);
  const linked = content.parts.map(async (part) => ({
    ...part,
    url: await deps.links(part.path, expiresAtMs),
    expiresAt,
  }));
  return { run: runId, manifest: { path, url: await deps.links(path, expiresAtMs) }, parts: await Promise.all(linked) };
}

async function isThere(deps: PullDeps, path: string): Promise<boolean> {
  try {
    return await deps.blobs.getBlobClient(path).exists();
  } catch (thrown) {
    throw new SallyportError("storage.failed", "The blob service did not answer.", { path }, thrown);
  }
}

async function find(
  deps: PullDeps,
  tenant: string,
  runId: string,
): Promise<{ readonly key: PullKey; readonly id: string; readonly run: Run }> {
  const { pull, run: id } = splitRunId(runId);
  const key = { tenant, pull };
  const found = await deps.store.runs.run(key, id);
  if (!found) throw new SallyportError("api.not_found", "There is no such run.");
  return { key, id, run: found.value };
}
