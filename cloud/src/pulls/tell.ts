/**
 * Telling what became of a run: an event for each `out` entity, in the order of their keys, then one transaction that
 * takes it away (docs/runs.md step 11). Somebody may hear an event twice, never before its manifest.
 */
import type { RunState } from "@sallyport/shared/schema/pull.ts";
import { publicRunId } from "../store/ids.ts";
import type { Stored } from "../store/record.ts";
import { type Cursor, type Out, type PullKey, type Run, removeRow, replaceCursor, replaceRun } from "../store/runs.ts";
import type { Change } from "../store/tables.ts";

export interface RunEvent extends PullKey {
  /** `{pull}/{seq}`, or `{pull}/{run}` without a manifest: a repeat carries the same. */
  readonly id: string;
  readonly run: string;
  readonly state: RunState;
  readonly seq: number | null;
  /** Name of the manifest's blob. */
  readonly manifest: string | null;
  readonly rows: number;
  readonly bytes: number;
  readonly code: string | null;
  readonly at: string | null;
}

/** Delivers one event. Throws when it could not: it is then told again later. */
export type Tell = (event: RunEvent) => Promise<void>;

export function eventOf(key: PullKey, out: Out, run: Run, manifest: string | null): RunEvent {
  const id = publicRunId(key.pull, out.run);
  return {
    ...key,
    id: `${key.pull}/${out.seq ?? out.run}`,
    run: id,
    state: out.state,
    seq: out.seq,
    manifest,
    rows: run.rows,
    bytes: run.bytes,
    code: run.error?.code ?? null,
    at: run.endedAt,
  };
}

/** What follows when an event was told: pure. The updates guard the delete, which cannot be conditional. */
export function toldStep(
  out: Stored<Out>,
  run: Stored<Run>,
  cursor: Stored<Cursor>,
  opId: string,
): { readonly changes: readonly Change[] } {
  const state = run.value.state === "decided" ? "published" : run.value.state;
  const published = Math.max(cursor.value.published, out.value.seq ?? 0);
  return {
    changes: [
      replaceRun(out.value.run, { ...run.value, state, opId }, run.etag),
      replaceCursor({ ...cursor.value, published }, cursor.etag),
      removeRow(out.row.row),
    ],
  };
}
