/** The service, stopped: Windows answers at once that it was asked, and the agent drains meanwhile. */
import { type Clock, systemClock } from "../../clock.ts";
import { ConfigError } from "../../config-error.ts";
import { STOP_WITHIN_MS } from "./host.ts";
import { SERVICE } from "./layout.ts";
import type { Windows } from "./windows.ts";

/** A little more than the host takes. */
const STOPPED_WITHIN_MS = STOP_WITHIN_MS + 15_000;
const LOOK_EVERY_MS = 250;
const NEVER = new AbortController().signal;

/** Stops it, and waits until it has. Nothing to do is no error. @throws ConfigError where it does not */
export async function stopAndWait(
  windows: Pick<Windows, "readState" | "stopService">,
  clock: Clock = systemClock,
): Promise<void> {
  const latestMs = clock.monotonicMs() + STOPPED_WITHIN_MS;
  for (;;) {
    const state = windows.readState(SERVICE)?.state ?? "stopped";
    if (state === "stopped") return;
    if (clock.monotonicMs() > latestMs)
      throw new ConfigError(`the service ${SERVICE} does not stop: try again, or end its process`);
    // One that is about to start takes no such order yet.
    if (state === "running") windows.stopService(SERVICE);
    await clock.sleep(LOOK_EVERY_MS, NEVER);
  }
}
