/** Cancelling a run: the canceller leaves a note and never disturbs a living holder's ETag (docs/runs.md, "Cancel"). */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { pullPartition, splitRunId } from "../store/ids.ts";
import { insertCancel, type PullKey } from "../store/runs.ts";
import { commit } from "../store/tables.ts";
import { claimRun } from "./claim.ts";
import { isoTime, type PullDeps } from "./deps.ts";
import { publishAll } from "./publish.ts";
import { hasEnded } from "./run.ts";
import { activateNext } from "./start.ts";
import { wakeBefore } from "./wake.ts";

/** `asked`: a holder is at work and will stop soon. `ended`: it had ended before, and that stands. */
export type CancelAnswer = "cancelled" | "asked" | "ended";

/** Throws `api.not_found`. */
export async function cancelRun(deps: PullDeps, tenant: string, runId: string, who: string): Promise<CancelAnswer> {
  const { pull, run } = splitRunId(runId);
  const key: PullKey = { tenant, pull };
  const { runs } = deps.store;
  const before = await runs.run(key, run);
  if (!before) throw new SallyportError("api.not_found", "There is no such run.");
  if (hasEnded(before.value)) return "ended";
  await wakeBefore(deps, key, deps.clock.now());
  const note = insertCancel(run, { who, at: isoTime(deps.clock.now()) });
  // A note that is there already says the same.
  await commit(runs.table, pullPartition(tenant, pull), [note]);
  const result = await claimRun(deps, key, run);
  const after = await runs.run(key, run);
  if (result.do !== "publish" || !after) return "asked";
  await publishAll(deps, key);
  await activateNext(deps, key);
  return after.value.state === "cancelled" ? "cancelled" : "ended";
}
