/** Going on with a request that nobody waits for: the answer to its doorbell. */
import { ERRORS } from "@sallyport/shared/protocol/errors.ts";
import type { Stored } from "../store/record.ts";
import type { RequestRecord } from "../store/requests.ts";
import { dropAsked, NOTHING_ASKED, readAsked } from "./asked.ts";
import type { RequestBell, RequestDeps } from "./deps.ts";
import { claim, hold } from "./hold.ts";
import { tryRequest } from "./work.ts";

/**
 * Tries a request again that waits, or whose holder has died. One that may have changed something is not asked again: it
 * ends with `write.outcome_unknown`. @throws when the state cannot be reached: the message then comes again
 */
export async function goOn(deps: RequestDeps, { tenant, request: id }: RequestBell): Promise<void> {
  const stored = await deps.store.requests.get(tenant, id);
  // Forgotten, or ended: a bell may ring late.
  if (stored === undefined || stored.value.endedAt !== null) return;
  const again = (ms: number) => deps.ring({ tenant, request: id }, deps.now().getTime() + ms);
  const mine = await claim(deps, stored);
  if (mine === undefined) return again(deps.settings.leaseSeconds * 1000);
  const { caller } = mine.value;
  const wasSealed = stored.value.state === "running" && !stored.value.repeatable;
  const wanted = wasSealed ? undefined : await readAsked(deps.blobs, mine.value);
  if (wanted === undefined) return end(deps, mine, wasSealed);
  const stop = new AbortController();
  const held = hold(deps, mine, () => stop.abort());
  try {
    const signal = AbortSignal.any([stop.signal, deps.stopping]);
    const tried = await tryRequest(deps, { tenant, id, caller }, wanted, held, () => true, signal);
    if (tried.do === "wait") await again(deps.settings.waitSeconds * 1000);
  } finally {
    held.release();
  }
}

async function end(deps: RequestDeps, mine: Stored<RequestRecord>, wasSealed: boolean): Promise<void> {
  const code = wasSealed ? "write.outcome_unknown" : "api.internal";
  const message = "The orchestrator's process that held this request ended before the agent answered.";
  const endedAt = deps.now().toISOString();
  const error = { code, message, advice: ERRORS[code].advice, facts: {}, at: endedAt };
  const ended = { ...mine.value, ...NOTHING_ASKED, state: "failed", endedAt, error } as const;
  if ((await deps.store.requests.update(mine, ended)) !== undefined) await dropAsked(deps.blobs, mine.value);
}
