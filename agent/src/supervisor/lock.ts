/** The owner's lock: a file in `control/`, which only administrators may write, looked at once a second. */
import type { Clock } from "../clock.ts";

const LOOK_EVERY_MS = 1_000;

/** Tells of each change until the signal; never rejects unless `changed` throws. */
export async function watchLock(
  isLocked: () => boolean,
  changed: (locked: boolean) => void,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  let was = isLocked();
  while (!signal.aborted) {
    const is = isLocked();
    if (is !== was) changed(is);
    was = is;
    await clock.sleep(LOOK_EVERY_MS, signal).catch(() => {});
  }
}
