/** The owner's lock and drain: files in `control/`, which only administrators may write, looked at twice a second. */
import { lstatSync } from "node:fs";
import type { Clock } from "../clock.ts";

const LOOK_EVERY_MS = 500;

/** Whether the owner's flag stands in `control/`. What cannot be looked at counts as set: it was put out of our reach. */
export function isSet(flag: string): boolean {
  try {
    lstatSync(flag);
    return true;
  } catch (thrown) {
    return (thrown as NodeJS.ErrnoException).code !== "ENOENT";
  }
}

/** Tells of each change until the signal, and of a flag that is set at the beginning; never rejects unless `changed` throws. */
export async function watchFlag(
  isSet: () => boolean,
  changed: (set: boolean) => void,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  let was = false;
  while (!signal.aborted) {
    const is = isSet();
    if (is !== was) changed(is);
    was = is;
    await clock.sleep(LOOK_EVERY_MS, signal).catch(() => {});
  }
}
