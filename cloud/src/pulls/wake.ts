/** Wake entries as writers need them: written first, and fresh while the change they serve is being tried. */
import type { PullKey } from "../store/runs.ts";
import type { PullDeps } from "./deps.ts";

export interface Wake {
  /** Call before each try: writes a new entry when half of the lead of the last one has passed. */
  keepFresh(): Promise<void>;
}

/** Writes an entry for `atMs`, at least the lead ahead, so that no tick uses it up before the change has landed. */
export async function wakeBefore(
  deps: Pick<PullDeps, "store" | "clock" | "settings">,
  key: PullKey,
  atMs: number,
): Promise<Wake> {
  const leadMs = deps.settings.wakeLeadSeconds * 1000;
  let writtenAt = Number.NEGATIVE_INFINITY;
  const keepFresh = async () => {
    if (deps.clock.monotonic() - writtenAt < leadMs / 2) return;
    const from = deps.clock.monotonic();
    await deps.store.wake.insert(key, Math.max(atMs, deps.clock.now() + leadMs));
    writtenAt = from;
  };
  await keepFresh();
  return { keepFresh };
}
