/** What may be taken away again, and when. Pure (RUNS.md steps 12 and 13). */
import { type Run, replaceCursor, replaceRun } from "../store/runs.ts";
import { hasEnded, type Records, type Step } from "./run.ts";

/** Milliseconds after a run's end before anything of it is deleted: longer than any writer or reader of it can be late. */
export const REST_MS = 24 * 3600_000;

/** Whether nothing more can follow from the run. A decided one still has to be published. */
export const isFinal = (run: Run): boolean => hasEnded(run) && run.state !== "decided";

export const hasRested = (run: Run, nowMs: number): boolean =>
  isFinal(run) && run.endedAt !== null && nowMs - Date.parse(run.endedAt) >= REST_MS;

/**
 * The end of a published run's results; undefined where they must stay: not told yet, or an older manifest still counts,
 * so that the manifests that count are always the last ones without a hole. The manifest is deleted after this.
 */
export function expire({ id, run: stored, cursor }: Records, opId: string): Step | undefined {
  const { state, seq } = stored.value;
  if (state !== "published" || (seq !== null && seq > cursor.value.oldest)) return undefined;
  const run: Run = { ...stored.value, state: "expired", opId };
  const oldest = seq === null ? cursor.value.oldest : Math.max(cursor.value.oldest, seq + 1);
  return {
    run,
    changes: [replaceRun(id, run, stored.etag), replaceCursor({ ...cursor.value, oldest }, cursor.etag)],
  };
}

/**
 * Of a resting run's blobs those that no committed slice names: what lost claims left behind. `named`: the folders of its
 * slices' lists. An expired run's slices name nothing any more.
 */
export function leftovers(run: Run, blobs: readonly string[], named: ReadonlySet<string>): readonly string[] {
  if (!isFinal(run)) return [];
  const keeps = run.state === "published";
  return blobs.filter((path) => !keeps || !named.has(path.slice(0, path.lastIndexOf("/"))));
}
