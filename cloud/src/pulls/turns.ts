/**
 * Whose turn it is in a pull: at most one run is active, the others queue behind it. Pure: records in, the changes of one
 * transaction out, or undefined where there is nothing to change (docs/runs.md steps 1 and 9, "Reset").
 */
import type { Stored } from "../store/record.ts";
import { type Cursor, insertRun, type Run, replaceCursor, replaceRun } from "../store/runs.ts";
import type { Change } from "../store/tables.ts";
import { finish, hasEnded } from "./run.ts";

export interface NamedRun {
  readonly id: string;
  readonly run: Stored<Run>;
}

/** A new run: active at once where none is, otherwise queued. Only a run that becomes active needs the cursor. */
export function enter(cursor: Stored<Cursor>, id: string, run: Run): readonly Change[] {
  const inserted = insertRun(id, run);
  if (cursor.value.activeRun !== null) return [inserted];
  return [inserted, replaceCursor({ ...cursor.value, activeRun: id }, cursor.etag)];
}

/** What a due time leads to. The cursor is always written: of two schedulers one is refused. */
export function enterDue(
  cursor: Stored<Cursor>,
  id: string,
  run: Run,
  what: "start" | "queue" | "skip",
  nextDue: string | null,
): readonly Change[] {
  const activeRun = what === "start" ? id : cursor.value.activeRun;
  const moved = replaceCursor({ ...cursor.value, nextDue, activeRun }, cursor.etag);
  return what === "skip" ? [moved] : [moved, insertRun(id, run)];
}

/**
 * Gives the turn to the oldest queued run; one of an older epoch ends instead. Undefined while another is active: two
 * active runs would read from the same watermark.
 */
export function giveTurn(
  cursor: Stored<Cursor>,
  next: NamedRun,
  now: string,
  opId: string,
): { readonly active: boolean; readonly changes: readonly Change[] } | undefined {
  if (cursor.value.activeRun !== null) return undefined;
  if (next.run.value.epoch !== cursor.value.epoch) {
    return { active: false, changes: finish({ ...next, cursor }, "superseded", null, now, opId).changes };
  }
  const activated = [
    replaceRun(next.id, { ...next.run.value, opId }, next.run.etag),
    replaceCursor({ ...cursor.value, activeRun: next.id }, cursor.etag),
  ];
  return { active: true, changes: activated };
}

/** An activeRun that names an ended run, or none that is there, is left over from a write that nobody makes. */
export function clearTurn(cursor: Stored<Cursor>, active: Stored<Run> | undefined): readonly Change[] | undefined {
  if (cursor.value.activeRun === null || (active && !hasEnded(active.value))) return undefined;
  return [replaceCursor({ ...cursor.value, activeRun: null }, cursor.etag)];
}

/**
 * Starts the pull's history anew. The active run ends in the same transaction: its holder's ETag is stale from here on,
 * besides that the epoch is another. `also`: what else is to change in the cursor.
 */
export function reset(
  cursor: Stored<Cursor>,
  active: NamedRun | undefined,
  also: Partial<Cursor>,
  now: string,
  opId: string,
): readonly Change[] {
  const { value } = cursor;
  const next: Cursor = { ...value, epoch: value.epoch + 1, watermark: null, replaces: true, activeRun: null, ...also };
  const moved = replaceCursor(next, cursor.etag);
  if (!active || hasEnded(active.run.value)) return [moved];
  const ended = finish({ ...active, cursor }, "superseded", null, now, opId);
  // The end's own change of the cursor gives way to the reset's: an entity stands once in a transaction.
  return [moved, ...ended.changes.filter((one) => one.row !== moved.row)];
}
