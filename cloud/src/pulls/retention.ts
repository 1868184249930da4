/** What may be taken away again, and when. Pure (docs/runs.md steps 12 and 13). */
import { type Cursor, insertRest, type Run, replaceCursor, replaceRun } from "../store/runs.ts";
import { hasEnded, type Records, type Step } from "./run.ts";

/** Whether nothing more can follow from the run. A decided one still has to be published. */
export const isFinal = (run: Run): boolean => hasEnded(run) && run.state !== "decided";

/** The number of the last manifest that may expire: of a pull that was removed no newer one will come, so it is the newest. */
export const lastToExpire = ({ published, removed }: Cursor): number => (removed ? published : published - 1);

/**
 * The end of a published run's results; undefined where they must stay: not told yet, the newest ones of a pull that is
 * there, or an older manifest still counts, so that those that count are always the last ones without a hole. The manifest
 * is deleted after this, its parts a rest later.
 */
export function expire({ id, run: stored, cursor }: Records, now: string, opId: string): Step | undefined {
  const { state, seq } = stored.value;
  const { oldest } = cursor.value;
  if (state !== "published" || seq === null || seq > oldest || seq > lastToExpire(cursor.value)) return undefined;
  const run: Run = { ...stored.value, state: "expired", opId };
  const moved = { ...cursor.value, oldest: Math.max(oldest, seq + 1) };
  return {
    run,
    changes: [replaceRun(id, run, stored.etag), replaceCursor(moved, cursor.etag), insertRest(now, id)],
  };
}

/**
 * Of a final run's blobs those that no committed slice of a published run names: what lost claims left behind, and all of
 * a run whose rows count no more. `named`: the folders of its slices.
 */
export function leftovers(run: Run, blobs: readonly string[], named: ReadonlySet<string>): readonly string[] {
  if (!isFinal(run)) return [];
  const keeps = run.state === "published";
  return blobs.filter((path) => !keeps || !named.has(path.slice(0, path.lastIndexOf("/"))));
}
