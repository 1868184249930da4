/**
 * A run's state machine, as docs/runs.md has it: given the records and what happened, the run as it becomes and the changes
 * that go with it in one transaction, or a reason why not. No I/O and no clock. The holder's ETag chain is in hold.ts.
 */
import { createHash } from "node:crypto";
import { ERRORS, type ErrorCode, type ErrorDetail } from "@sallyport/shared/protocol/errors.ts";
import { mergeWarnings, type Warning } from "@sallyport/shared/protocol/warnings.ts";
import type { Plan } from "@sallyport/shared/schema/operations.ts";
import type { RunState } from "@sallyport/shared/schema/pull.ts";
import type { Stored } from "../store/record.ts";
import {
  type Cancel,
  type Cursor,
  insertOut,
  insertRest,
  insertRun,
  insertSlice,
  type Run,
  type RunError,
  replaceCursor,
  replaceRun,
  type Slice,
} from "../store/runs.ts";
import type { Change } from "../store/tables.ts";

/** A transaction to write: the run as it becomes, and everything else. */
export interface Step {
  readonly run: Run;
  readonly changes: readonly Change[];
}

export interface Records {
  readonly id: string;
  readonly run: Stored<Run>;
  readonly cursor: Stored<Cursor>;
}

/** No claim changes these any more. A decided run still has to be published, by anyone. */
const ENDED: ReadonlySet<RunState> = new Set([
  "decided",
  "published",
  "failed",
  "cancelled",
  "superseded",
  "expired",
] satisfies RunState[]);
export const hasEnded = (run: Run): boolean => ENDED.has(run.state);

/** Two seconds beyond the lease, because the service's times are cut to whole seconds. */
const LEASE_GRACE_MS = 2000;

/**
 * Whether a holder may still be at work. Both times are the service's: the Date of the very read whose ETag a claim
 * uses, and the entity's Timestamp. A read without a Date has a living lease: waiting is always safe.
 */
export function isHeld({ value, row }: Stored<Run>): boolean {
  if (value.state !== "running" || value.holder === "") return false;
  return !(row.readAtMs > leaseEndsMs({ value, row }));
}

export const leaseEndsMs = ({ value, row }: Pick<Stored<Run>, "value" | "row">): number =>
  row.timestampMs + value.leaseSeconds * 1000 + LEASE_GRACE_MS;

export interface NewRun {
  readonly kind: Run["kind"];
  readonly epoch: number;
  readonly opId: string;
  readonly now: string;
  readonly deadline: string;
  readonly leaseSeconds: number;
}

/** A run before its first claim, which gives it its `from`. */
export function newRun({ kind, epoch, opId, now, deadline, leaseSeconds }: NewRun): Run {
  const counts = { slices: 0, rows: 0, bytes: 0, fence: 0, claims: 0 };
  const unknown = {
    plan: null,
    schema: null,
    policy: null,
    maskKey: null,
    asked: null,
    source: null,
    from: null,
    to: null,
    position: null,
  };
  const open = { notBefore: null, error: null, warnings: null, seq: null, listHash: null, endedAt: null };
  const given = { kind, epoch, opId, deadline, leaseSeconds, startedAt: now };
  return { ...given, ...counts, ...unknown, ...open, state: "queued", complete: false, holder: "", replaces: false };
}

export interface ClaimFacts {
  readonly cancel: Cancel | undefined;
  readonly nowMs: number;
  readonly now: string;
  readonly holder: string;
  readonly opId: string;
  readonly maxClaims: number;
  readonly leaseSeconds: number;
}

export type ClaimVerdict =
  /** It has ended: whoever comes redoes what follows from that. */
  | { readonly do: "publish" }
  /** Not now, or not ours: the doorbell has been answered. */
  | { readonly do: "leave"; readonly why: "held" | "early" | "not active" }
  | ({ readonly do: "claim" } & Step)
  | ({ readonly do: "end" } & Step);

/** docs/runs.md step 3. The order of the tests is part of it. */
export function claim(records: Records, facts: ClaimFacts): ClaimVerdict {
  const { run: stored, cursor, id } = records;
  const run = stored.value;
  const { now, opId } = facts;
  if (hasEnded(run)) return { do: "publish" };
  if (isHeld(stored)) return { do: "leave", why: "held" };
  // The canceller's claim and its verdict in one write; who holds nothing any more fails by the ETag.
  if (facts.cancel) return { do: "end", ...finish(records, "cancelled", null, now, opId) };
  if (run.epoch !== cursor.value.epoch) return { do: "end", ...finish(records, "superseded", null, now, opId) };
  if (cursor.value.activeRun !== id) return { do: "leave", why: "not active" };
  if (run.notBefore !== null && Date.parse(run.notBefore) > facts.nowMs) return { do: "leave", why: "early" };
  if (Date.parse(run.deadline) <= facts.nowMs) {
    const error = errorOf("run.deadline", withCause("The run's time is over", run.error), now);
    return { do: "end", ...finish(records, "failed", error, now, opId) };
  }
  if (run.claims >= facts.maxClaims) {
    const error = errorOf("limit.claims", withCause(`${run.claims} claims ended without a slice`, run.error), now);
    return { do: "end", ...finish(records, "failed", error, now, opId) };
  }
  // The watermark is final for this run only once it is active: an earlier one may have moved it since it was queued.
  const from = run.plan === null && run.kind !== "backfill" ? cursor.value.watermark : run.from;
  const claimed: Run = {
    ...run,
    state: "running",
    from,
    fence: cursor.value.nextFence,
    holder: facts.holder,
    claims: run.claims + 1,
    notBefore: null,
    leaseSeconds: facts.leaseSeconds,
    opId,
  };
  const next = { ...cursor.value, nextFence: cursor.value.nextFence + 1 };
  return {
    do: "claim",
    run: claimed,
    changes: [replaceRun(id, claimed, stored.etag), replaceCursor(next, cursor.etag)],
  };
}

const withCause = (text: string, last: RunError | null) =>
  last ? `${text}; the last error was ${last.code}: ${last.message}` : `${text}.`;

/** An error as a run keeps it. */
export const errorOf = (code: ErrorCode, message: string, at: string, facts: ErrorDetail = {}): RunError => ({
  code,
  message: message.slice(0, 2000),
  advice: ERRORS[code].advice,
  facts: { ...facts },
  at,
});

// What a holder writes. Each gives the run's new content; hold.ts adds opId, ETag and retries.

export interface FixedPlan {
  readonly plan: Plan;
  readonly schema: string;
  readonly policy: string;
  /** Id of the mask key that columns were hashed with; null where none is. */
  readonly maskKey: string | null;
  readonly asked: string;
  readonly source: NonNullable<Run["source"]>;
}

/** Step 4: before the first row is staged. */
export const fixPlan = (run: Run, fixed: FixedPlan): Run => ({ ...run, ...fixed, to: fixed.plan.to });

/**
 * Whether the plan is worth nothing any more: a snapshot's bound ended with the session that took it, and nothing of that
 * session was committed. The next one has a snapshot, and a plan, of its own.
 */
export const isVoid = ({ plan, slices, complete }: Run): boolean =>
  plan?.isolation === "snapshot" && slices === 0 && !complete;

/** Whether a later session still reads what the first one planned. */
export function keepsPlan(run: Run, fixed: FixedPlan): boolean {
  return (
    run.schema === fixed.schema &&
    run.policy === fixed.policy &&
    run.maskKey === fixed.maskKey &&
    run.asked === fixed.asked &&
    digestOf(run.plan) === digestOf(fixed.plan)
  );
}

/** Step 7: the slice's number is one more than the run's; `claims` starts anew, so a long healthy run never runs out. */
export function commitSlice(
  run: Run,
  id: string,
  slice: Slice,
  complete: boolean,
  warnings: readonly Warning[] = [],
): Step {
  const number = run.slices + 1;
  const next: Run = {
    ...run,
    position: slice.to ?? run.position,
    slices: number,
    rows: run.rows + slice.rows,
    bytes: run.bytes + slice.bytes,
    complete,
    claims: 0,
    error: null,
    warnings: warned(run, warnings),
  };
  return { run: next, changes: [insertSlice(id, number, slice)] };
}

/** The source had no rows after the last slice: there is nothing to commit but that. */
export const completeRun = (run: Run, position: string | null, warnings: readonly Warning[] = []): Run => ({
  ...run,
  position: position ?? run.position,
  complete: true,
  warnings: warned(run, warnings),
});

const warned = (run: Run, more: readonly Warning[]): Run["warnings"] => {
  const all = mergeWarnings(run.warnings ?? [], more);
  return all.length === 0 ? null : all;
};

export const handOver = (run: Run): Run => ({ ...run, state: "queued", holder: "" });

/** Gives the run back until `notBefore`. A claim that could not have succeeded is given back too. */
export const wait = (run: Run, notBefore: string, error: RunError, costsClaim: boolean): Run => ({
  ...run,
  state: "waiting",
  holder: "",
  notBefore,
  error,
  claims: costsClaim ? run.claims : Math.max(0, run.claims - 1),
});

/** SHA-256 over the slices' hashes in order. */
export function listHash(slices: readonly Pick<Slice, "sha256">[]): string {
  const hash = createHash("sha256");
  for (const slice of slices) hash.update(Buffer.from(slice.sha256, "base64url"));
  return hash.digest("base64url");
}

/**
 * Step 8, the commit: the run becomes part of the pull's history. Undefined when it may not: another run is active or the
 * pull was reset. Without rows and with nothing to replace only the watermark moves.
 */
export function decide(records: Records, hash: string, now: string, opId: string): Step | undefined {
  const { id, run: stored, cursor } = records;
  const run = stored.value;
  const at = cursor.value;
  if (at.activeRun !== id || at.epoch !== run.epoch || !run.complete) return undefined;
  const ordinary = run.kind !== "backfill";
  const replaces = ordinary && at.replaces;
  const watermark = ordinary ? run.to : at.watermark;
  const visible = run.rows > 0 || replaces;
  const seq = visible ? at.seq + 1 : at.seq;
  const decided: Run = {
    ...run,
    state: visible ? "decided" : "published",
    seq: visible ? seq : null,
    listHash: hash,
    replaces,
    error: null,
    endedAt: now,
    opId,
  };
  const freshAt = ordinary ? run.startedAt : at.freshAt;
  const moved: Cursor = { ...at, watermark, seq, freshAt, replaces: ordinary ? false : at.replaces, activeRun: null };
  return {
    run: decided,
    changes: [
      replaceRun(id, decided, stored.etag),
      replaceCursor(moved, cursor.etag),
      insertOut(seq, { run: id, seq: decided.seq, state: "published" }),
      insertRest(now, id),
    ],
  };
}

/** Step 9: every other end, with the event to be told. */
export function finish(
  { id, run: stored, cursor }: Records,
  state: "failed" | "cancelled" | "superseded",
  error: RunError | null,
  now: string,
  opId: string,
): Step {
  const run: Run = { ...stored.value, state, error, endedAt: now, opId };
  const activeRun = cursor.value.activeRun === id ? null : cursor.value.activeRun;
  return {
    run,
    changes: [
      replaceRun(id, run, stored.etag),
      replaceCursor({ ...cursor.value, activeRun }, cursor.etag),
      insertOut(cursor.value.seq, { run: id, seq: null, state }),
      insertRest(now, id),
    ],
  };
}

/**
 * The plan changed: this run ends, and another one starts from the same place, in one transaction. It keeps the deadline,
 * so that a source which never stops changing ends in `run.deadline` and not in an endless row of runs.
 */
export function supersede(records: Records, successor: string, error: RunError, now: string, opId: string): Step {
  const { id, run: stored, cursor } = records;
  const ended = finish(records, "superseded", error, now, opId);
  if (cursor.value.activeRun !== id || cursor.value.epoch !== stored.value.epoch) return ended;
  const { kind, epoch, deadline, leaseSeconds, from } = stored.value;
  const to = kind === "backfill" ? stored.value.to : null;
  const next: Run = { ...newRun({ kind, epoch, opId, now, deadline, leaseSeconds }), from, to };
  return {
    run: ended.run,
    changes: [
      replaceRun(id, ended.run, stored.etag),
      replaceCursor({ ...cursor.value, activeRun: successor }, cursor.etag),
      insertOut(cursor.value.seq, { run: id, seq: null, state: "superseded" }),
      insertRest(now, id),
      insertRun(successor, next),
    ],
  };
}

/** SHA-256 over JSON with sorted keys: the same for equal content, whoever wrote it. */
export function digestOf(value: unknown): string {
  const sorted = (_: string, part: unknown): unknown =>
    part !== null && typeof part === "object" && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part;
  return createHash("sha256")
    .update(JSON.stringify(value ?? null, sorted))
    .digest("base64url");
}
