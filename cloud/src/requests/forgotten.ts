/**
 * Requests that nobody works on and no bell rings for: their process died, or their bell did. The record says until when
 * somebody works on it, or a bell is under way (`leaseUntil`); once that is over, it is rung for again.
 */
import { quoted } from "../store/tables.ts";
import type { RequestDeps } from "./deps.ts";

/** Bells of one pass; what is left is found by the next. */
const MOST_BELLS = 500;
/** The queue may be long: a request that waits is not rung for again before this. */
const QUIET_SECONDS = 300;

/** Answers how many were rung for. @throws when table or queue do not answer */
export async function ringForgotten(deps: RequestDeps): Promise<number> {
  const { store, now } = deps;
  const before = now().toISOString();
  const found = await store.requests.scan(
    `(state eq 'running' or state eq 'waiting') and leaseUntil lt ${quoted(before)}`,
  );
  const forgotten = found.slice(0, MOST_BELLS);
  const leaseUntil = new Date(now().getTime() + QUIET_SECONDS * 1000).toISOString();
  for (const stored of forgotten) {
    const { partition: tenant, row: request } = stored.row;
    await deps.ring({ tenant, request }, now().getTime());
    // Refused where the bell was answered meanwhile. A dead holder's lease stays as it is: it says that he is dead.
    if (stored.value.state === "waiting") await store.requests.update(stored, { ...stored.value, leaseUntil });
  }
  return forgotten.length;
}

/** For a schedule, which goes on whatever becomes of it. Null where table or queue did not answer: the log says so. */
export async function tryToRing(deps: RequestDeps): Promise<number | null> {
  try {
    return await ringForgotten(deps);
  } catch (thrown) {
    deps.log("forgotten requests not rung for", { error: String(thrown) });
    return null;
  }
}
