/** Going on with a request that no call works on: the answer to its doorbell. */
import { ERRORS } from "@sallyport/shared/protocol/errors.ts";
import type { Stored } from "../store/record.ts";
import type { RequestRecord } from "../store/requests.ts";
import { dropAsked, NOTHING_ASKED, readAsked } from "./asked.ts";
import type { RequestBell, RequestDeps } from "./deps.ts";
import { claim, hold, isHeld, leaseFrom } from "./hold.ts";
import { tryRequest } from "./work.ts";

/** The pause of one that finds no place, at least and at most: drawn, so that many do not come back together. */
const STEP_BACK_MS = [1_000, 3_000] as const;

/**
 * Tries a request that has not begun, that waits, or whose holder has died. One that may have changed something is not asked
 * again: it ends with `write.outcome_unknown`. @throws when the state cannot be reached: the message then comes again
 */
export async function goOn(deps: RequestDeps, bell: RequestBell): Promise<void> {
  const stored = await deps.store.requests.get(bell.tenant, bell.request);
  // Forgotten, or ended: a bell may ring late. Who holds it rings by himself, or dies and is found (`forgotten.ts`).
  if (stored === undefined || stored.value.endedAt !== null || isHeld(deps, stored.value)) return;
  const leavePlace = deps.places.queue.take(bell.tenant);
  if (leavePlace === undefined) return stepBack(deps, bell, stored);
  try {
    await attempt(deps, bell, stored);
  } finally {
    leavePlace();
  }
}

async function attempt(deps: RequestDeps, bell: RequestBell, stored: Stored<RequestRecord>): Promise<void> {
  const { tenant, request: id } = bell;
  const { caller, deadline } = stored.value;
  const wasSealed = mayBeDone(stored.value);
  // Nobody expects any more that it begins: its bell was lost for long, or its agent away.
  const isLate = deadline <= deps.now().toISOString();
  const wanted = wasSealed || isLate ? undefined : await readAsked(deps.blobs, stored.value);
  const mine = await claim(deps, stored);
  if (mine === undefined) return;
  if (wanted === undefined) return endUnfinished(deps, mine, wasSealed);
  const stop = new AbortController();
  const held = hold(deps, mine, () => stop.abort());
  try {
    const signal = AbortSignal.any([stop.signal, deps.stopping]);
    const tried = await tryRequest(deps, { tenant, id, caller }, wanted, held, true, signal);
    if (tried.do === "wait") await deps.ring(bell, deps.now().getTime() + deps.settings.waitSeconds * 1000);
  } finally {
    held.release();
  }
}

/** Its bell goes to the end of the line, and the record says that it has one. */
async function stepBack(deps: RequestDeps, bell: RequestBell, stored: Stored<RequestRecord>): Promise<void> {
  const nowMs = deps.now().getTime();
  const { state, leaseUntil } = stored.value;
  const isDue = Date.parse(leaseUntil) < nowMs + (deps.settings.leaseSeconds * 1000) / 2;
  if (state === "waiting" && isDue) {
    const said = await deps.store.requests.update(stored, { ...stored.value, leaseUntil: leaseFrom(deps) });
    if (said === undefined) return;
  }
  const [least, most] = STEP_BACK_MS;
  await deps.ring(bell, nowMs + least + ((most - least) * deps.random(1)[0]!) / 256);
}

/** Whether the agent may have got it, and done what is not done twice. */
export const mayBeDone = ({ state, repeatable }: RequestRecord): boolean => state === "running" && !repeatable;

/** Ends a request whose holder has died, or that nobody begins any more. */
export async function endUnfinished(deps: RequestDeps, mine: Stored<RequestRecord>, wasSealed: boolean): Promise<void> {
  const code = wasSealed ? "write.outcome_unknown" : "api.internal";
  const message = "The orchestrator's process that held this request ended before the agent answered.";
  const endedAt = deps.now().toISOString();
  const died = { code, message, advice: ERRORS[code].advice, facts: {}, at: endedAt };
  // Why it waited, where it did: nothing has happened since.
  const error = wasSealed ? died : (mine.value.error ?? died);
  const ended = { ...mine.value, ...NOTHING_ASKED, state: "failed", endedAt, error } as const;
  if ((await deps.store.requests.update(mine, ended)) !== undefined) await dropAsked(deps.blobs, mine.value);
}
