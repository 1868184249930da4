/** Ending a run that is held: the decision, or one of the other ends (docs/runs.md steps 8 and 9). */
import type { ErrorCode, ErrorDetail } from "@sallyport/shared/protocol/errors.ts";
import { newRunKey } from "../store/ids.ts";
import type { PullKey } from "../store/runs.ts";
import { isoTime, type PullDeps } from "./deps.ts";
import type { Hold, Written } from "./hold.ts";
import { tellBegan } from "./measure.ts";
import { afterFailure } from "./retry.ts";
import { decide, errorOf, finish, listHash, supersede, wait } from "./run.ts";
import { wakeBefore } from "./wake.ts";

export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly detail: ErrorDetail;
}

/** Makes a complete run part of its pull's history. */
export const decideRun = (deps: PullDeps, key: PullKey, id: string, held: Hold): Promise<Written> =>
  deps.telemetry.span("decide", {}, () => decideNow(deps, key, id, held));

async function decideNow(deps: PullDeps, key: PullKey, id: string, held: Hold): Promise<Written> {
  if (await held.isCancelled()) return cancelHeld(deps, key, held);
  const slices = await deps.store.runs.slices(key, id);
  // Not those that this holder's run counts: somebody else writes to the table, or the read is of another time.
  if (slices.length !== held.run.slices) return { ok: false, why: "refused" };
  const hash = listHash(slices.map((slice) => slice.value));
  const now = isoTime(deps.clock.now());
  const wake = await wakeBefore(deps, key, deps.clock.now());
  return held.write({ on: "run and cursor", step: (records, opId) => decide(records, hash, now, opId) }, wake);
}

export async function cancelHeld(deps: PullDeps, key: PullKey, held: Hold): Promise<Written> {
  const now = isoTime(deps.clock.now());
  const wake = await wakeBefore(deps, key, deps.clock.now());
  const step = { on: "run and cursor" as const };
  return held.write({ ...step, step: (records, opId) => finish(records, "cancelled", null, now, opId) }, wake);
}

/** `again`: when the run is to be looked at next; undefined when this was its end or the claim was lost. */
export interface AfterFailure {
  readonly againMs: number | undefined;
}

/** What a failed session makes of its run: the end, a successor, or another try later. */
export async function failHeld(deps: PullDeps, key: PullKey, held: Hold, failure: Failure): Promise<AfterFailure> {
  const { clock, settings } = deps;
  const nowMs = clock.now();
  const now = isoTime(nowMs);
  const error = errorOf(failure.code, failure.message, now, failure.detail);
  const luck = deps.random(4).readUInt32LE() / 2 ** 32;
  const verdict = afterFailure(held.run, failure.code, settings, nowMs, luck);
  if (verdict.do === "wait") {
    const notBefore = isoTime(verdict.notBeforeMs);
    const wake = await wakeBefore(deps, key, verdict.notBeforeMs);
    const step = (run: typeof held.run) => wait(run, notBefore, error, verdict.costsClaim);
    const written = await held.write({ on: "run", step }, wake);
    if (written.ok) deps.telemetry.measure("sallyport.retries", 1, { "sallyport.code": failure.code });
    return { againMs: written.ok ? verdict.notBeforeMs : undefined };
  }
  const wake = await wakeBefore(deps, key, nowMs);
  if (verdict.do === "fail") {
    const step = (records: Parameters<typeof finish>[0], opId: string) => finish(records, "failed", error, now, opId);
    await held.write({ on: "run and cursor", step }, wake);
    return { againMs: undefined };
  }
  const successor = newRunKey(nowMs, deps.random);
  const step = (records: Parameters<typeof supersede>[0], opId: string) =>
    supersede(records, successor, error, now, opId);
  const superseded = await held.write({ on: "run and cursor", step }, wake);
  if (superseded.ok) tellBegan(deps, { ...key, run: successor }, "start", nowMs, held.run.kind);
  return { againMs: undefined };
}
