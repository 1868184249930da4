/** Answering a doorbell: claim the run and work on it, or redo what follows from its end. */

import { claimRun } from "./claim.ts";
import type { PullDeps } from "./deps.ts";
import { publishAll } from "./publish.ts";
import { parseDoorbell } from "./ring.ts";
import { activateNext, ringSafely } from "./start.ts";
import { work } from "./work.ts";

/**
 * `message`: a message's body as the trigger gives it. `drain`: aborted when this process is about to stop; the run is
 * then handed over at its next checkpoint. Throws `queue.unparseable`, and when the state cannot be reached: the message
 * then comes again.
 */
export async function answerDoorbell(deps: PullDeps, message: unknown, drain: AbortSignal): Promise<void> {
  const { tenant, pull, run } = parseDoorbell(message);
  const key = { tenant, pull };
  const result = await claimRun(deps, key, run);
  if (result.do === "leave") return;
  if (result.do === "work") {
    const { againMs } = await work(deps, result.claimed, drain);
    if (againMs !== undefined) await ringSafely(deps, key, run, againMs);
  }
  await publishAll(deps, key);
  await activateNext(deps, key);
}
