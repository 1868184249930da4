/**
 * The slow re-index: a few pulls a tick, each pull in its turn, get a wake entry whether they have one or not. So nothing is
 * forgotten for ever, whatever was lost: an entry, or a write that landed long after its own entry was used up.
 */
import type { PullDeps } from "./deps.ts";

/** Answers how many pulls got an entry. Of two at once, both may write entries; only one moves on. */
export async function reindex(deps: PullDeps): Promise<number> {
  const { runs, wake } = deps.store;
  const place = await wake.place();
  const { keys, token } = await runs.page(deps.settings.reindexPulls, String(place?.properties.token ?? ""));
  for (const key of keys) await wake.insert(key, deps.clock.now());
  await wake.move(place, token);
  return keys.length;
}
