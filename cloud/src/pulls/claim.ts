/** Claiming a run: one transaction over run and cursor, so that of two who try one wins (docs/runs.md step 3). */
import { pullPartition } from "../store/ids.ts";
import { RecordError, type Stored } from "../store/record.ts";
import type { PullKey, Run } from "../store/runs.ts";
import { commit } from "../store/tables.ts";
import { isoTime, type PullDeps, pause } from "./deps.ts";
import type { Claimed } from "./hold.ts";
import { claim } from "./run.ts";
import { TRIES } from "./tries.ts";
import { type Wake, wakeBefore } from "./wake.ts";

export type ClaimResult =
  | { readonly do: "work"; readonly claimed: Claimed }
  /** It has ended, now or before: publish what there is to publish. */
  | { readonly do: "publish" }
  | { readonly do: "leave"; readonly why: "held" | "early" | "not active" | "unknown" };

const PAUSE_MS = 200;

/** Tries to claim a run, or ends it where its time, its claims or a cancel say so. Throws when Tables do not answer. */
export async function claimRun(deps: PullDeps, key: PullKey, id: string): Promise<ClaimResult> {
  const { clock, settings } = deps;
  const tokens = { holder: deps.random(16).toString("hex"), opId: deps.random(12).toString("hex") };
  // For the end of the lease, should this process die.
  const wake = await wakeBefore(deps, key, clock.now() + (settings.leaseSeconds + 5) * 1000);
  let silence: unknown;
  for (let tries = 1; tries <= TRIES; tries++) {
    try {
      const result = await tryToClaim(deps, key, id, tokens, wake);
      if (result) return result;
    } catch (thrown) {
      if (thrown instanceof RangeError || thrown instanceof RecordError) throw thrown;
      silence = thrown;
      await pause(clock, PAUSE_MS * tries);
    }
  }
  if (silence) throw silence;
  return { do: "leave", why: "held" };
}

/** One try; undefined when somebody else wrote in between. */
async function tryToClaim(
  deps: PullDeps,
  key: PullKey,
  id: string,
  { holder, opId }: { readonly holder: string; readonly opId: string },
  wake: Wake,
): Promise<ClaimResult | undefined> {
  const { store, clock, settings } = deps;
  const [cursor, cancel] = await Promise.all([store.runs.cursor(key), store.runs.cancel(key, id)]);
  const run = await store.runs.run(key, id);
  if (!cursor || !run) return { do: "leave", why: "unknown" };
  // The answer was lost, the claim was not.
  if (run.value.holder === holder) return alreadyClaimed(deps, key, id, run);
  const nowMs = clock.now();
  const { claims: maxClaims, leaseSeconds } = settings;
  const facts = { cancel: cancel?.value, nowMs, now: isoTime(nowMs), holder, opId, maxClaims, leaseSeconds };
  const verdict = claim({ id, run, cursor }, facts);
  if (verdict.do === "leave") deps.log("run left alone", { ...key, run: id, why: verdict.why });
  if (verdict.do === "leave" || verdict.do === "publish") return verdict;
  await wake.keepFresh();
  const sentAt = clock.monotonic();
  const done = await commit(store.runs.table, pullPartition(key.tenant, key.pull), verdict.changes);
  if (!done.ok) return undefined;
  if (verdict.do === "end") return { do: "publish" };
  return { do: "work", claimed: { key, id, run: verdict.run, etag: done.etags[0] ?? "", sentAt } };
}

function alreadyClaimed(deps: PullDeps, key: PullKey, id: string, run: Stored<Run>): ClaimResult {
  // Ended by a cancel or by its claims: only then does a try end a run that it never held.
  if (run.value.state !== "running") return { do: "publish" };
  const ageMs = Math.max(0, run.row.readAtMs - run.row.timestampMs) + 1000;
  const sentAt = deps.clock.monotonic() - ageMs;
  return { do: "work", claimed: { key, id, run: run.value, etag: run.etag, sentAt } };
}
