/** The owner's lock: a file in `control/`, which only administrators may write, looked at once a second. */
import { lstatSync } from "node:fs";
import type { Clock } from "../clock.ts";

const LOOK_EVERY_MS = 1_000;

/** Whether the owner's flag stands in `control/`. What cannot be looked at counts as set: it was put out of our reach. */
export function isSet(flag: string): boolean {
  try {
    lstatSync(flag);
    return true;
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code !== "ENOENT";
  }
}

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
