/** Bringing runs into being, and to their turn (docs/runs.md step 1). */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { NewRunBody } from "@sallyport/shared/schema/api.ts";
import type { PullDefinition } from "@sallyport/shared/schema/pull.ts";
import { newRunKey, pullPartition, splitRunId } from "../store/ids.ts";
import type { Cursor, PullKey, Run } from "../store/runs.ts";
import { commit } from "../store/tables.ts";
import { isoTime, type PullDeps } from "./deps.ts";
import { tellBegan } from "./measure.ts";
import { changed, noPull } from "./refusals.ts";
import { newRun } from "./run.ts";
import { lookAgain, TRIES } from "./tries.ts";
import { enter, giveTurn } from "./turns.ts";
import { wakeBefore } from "./wake.ts";

/** Rings, and leaves it to the wake index when the queue does not answer. */
export async function ringSafely(deps: PullDeps, key: PullKey, run: string, atMs?: number): Promise<void> {
  try {
    await deps.ring({ ...key, run }, atMs);
  } catch (thrown) {
    deps.log("doorbell not rung", { ...key, run, error: String(thrown) });
  }
}

/** A fresh run of a pull as of now, with its key. */
export function freshRun(
  deps: PullDeps,
  kind: Run["kind"],
  epoch: number,
  maxSeconds: number,
): { readonly id: string; readonly run: Run } {
  const nowMs = deps.clock.now();
  const run = newRun({
    kind,
    epoch,
    opId: deps.random(12).toString("hex"),
    now: isoTime(nowMs),
    deadline: isoTime(nowMs + maxSeconds * 1000),
    leaseSeconds: deps.settings.leaseSeconds,
  });
  return { id: newRunKey(nowMs, deps.random), run };
}

/**
 * Inserts a run by hand; it becomes active now, or waits for its turn while another is. Answers its key.
 * Throws `api.not_found` without such a pull, `api.invalid` for a backfill of a pull that has no watermark,
 * `api.changed` when others keep changing it.
 */
export async function insertRunByHand(deps: PullDeps, key: PullKey, wish: NewRunBody): Promise<string> {
  const { runs } = deps.store;
  const definition = await runs.definition(key);
  if (!definition) throw noPull(key);
  const askedMs = deps.clock.now();
  const wake = await wakeBefore(deps, key, askedMs);
  let made: { readonly id: string; readonly run: Run } | undefined;
  const inserted = await lookAgain(async () => {
    const cursor = await runs.cursor(key);
    if (!cursor || cursor.value.removed) throw noPull(key);
    // A commit whose answer was lost and that the SDK repeated comes back as 412 or 409.
    if (made && (await runs.run(key, made.id))) return made.id;
    if (made?.run.epoch !== cursor.value.epoch) made = wishedRun(deps, wish, definition.value.definition, cursor.value);
    await wake.keepFresh();
    const changes = enter(cursor, made.id, made.run);
    const done = await commit(runs.table, pullPartition(key.tenant, key.pull), changes);
    if (!done.ok) return undefined;
    tellBegan(deps, { ...key, run: made.id }, "start", askedMs, made.run.kind);
    if (cursor.value.activeRun === null) await ringSafely(deps, key, made.id);
    return made.id;
  });
  if (inserted === undefined) throw changed();
  return inserted;
}

function wishedRun(deps: PullDeps, wish: NewRunBody, { watermark, maxSeconds }: PullDefinition, cursor: Cursor) {
  const fresh = freshRun(deps, wish.kind, cursor.epoch, maxSeconds);
  if (wish.kind === "manual") return fresh;
  const to = wish.to ?? cursor.watermark;
  if (watermark === "none" || to === null) {
    const message = "A backfill reads up to a watermark: the pull has none, and none is given.";
    throw new SallyportError("api.invalid", message, { field: "to" });
  }
  return { ...fresh, run: { ...fresh.run, from: wish.from ?? null, to } };
}

/**
 * Starts a failed or cancelled run of a pull once more, as a new run. What it had read was never visible, and is read again.
 * Throws `api.not_found`, `api.conflict` for a run that did not end so, and what a start throws.
 */
export async function retryRun(deps: PullDeps, tenant: string, runId: string): Promise<string> {
  const { pull, run: id } = splitRunId(runId);
  const key = { tenant, pull };
  const run = await deps.store.runs.run(key, id);
  if (!run) throw new SallyportError("api.not_found", "There is no such run.");
  const { state, kind, from, to } = run.value;
  if (state !== "failed" && state !== "cancelled") {
    throw new SallyportError("api.conflict", `A run that is ${state} is not started again.`, { state });
  }
  if (kind !== "backfill") return insertRunByHand(deps, key, { kind: "manual" });
  const bounds = { ...(from === null ? {} : { from }), ...(to === null ? {} : { to }) };
  return insertRunByHand(deps, key, { kind, ...bounds });
}

/**
 * Gives the turn to the oldest queued run of the current epoch, where none is active; those of an older epoch end here.
 * Answers the run that has become active.
 */
export async function activateNext(deps: PullDeps, key: PullKey): Promise<string | undefined> {
  const { runs } = deps.store;
  for (let tries = 1; tries <= TRIES; tries++) {
    const cursor = await runs.cursor(key);
    if (!cursor || cursor.value.activeRun !== null) return undefined;
    const [next] = await runs.queued(key);
    if (!next) return undefined;
    const opId = deps.random(12).toString("hex");
    const turn = giveTurn(cursor, next, isoTime(deps.clock.now()), opId);
    if (!turn) return undefined;
    const done = await commit(runs.table, pullPartition(key.tenant, key.pull), turn.changes);
    if (done.ok && turn.active) {
      await ringSafely(deps, key, next.id);
      return next.id;
    }
    // One outdated run ended: that is progress, not a try.
    if (done.ok) tries = 0;
  }
  return undefined;
}
