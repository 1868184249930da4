/**
 * `sallyport service update-host`: what the service control manager starts as Local System. No arguments and no call to any network; where
 * it works it takes from where it lies, and what to do from files that only administrators write.
 */
import { systemClock } from "../../clock.ts";
import type { UpdatePlaces } from "../../update/places.ts";
import { RELEASE_KEYS } from "../../update/release-keys.ts";
import { runUpdater } from "../../update/updater.ts";
import { isOwnersBy, windowsPlatform, windowsService } from "../../update/windows/platform.ts";
import { reportEvent } from "./event-log.ts";
import { eventOf, type HostNote } from "./events.ts";
import { UPDATE_SERVICE } from "./layout.ts";
import { serve } from "./service-control.ts";
import { windows } from "./system.ts";
import { createUpdateHost } from "./update-host.ts";
import { updaterFaults } from "./update-service.ts";

/** Serves until the update has ended. @throws WindowsError where it was not the control manager that started it */
export async function runUpdateHost(places: UpdatePlaces): Promise<void> {
  let host: ReturnType<typeof createUpdateHost> | undefined;
  await serve(
    UPDATE_SERVICE,
    ({ report }) => {
      host = createUpdateHost({ report, note, run: (signal) => update(places, signal) });
      void host.begin();
    },
    () => host?.askToStop(),
  );
}

async function update(places: UpdatePlaces, signal: AbortSignal): ReturnType<typeof runUpdater> {
  // Commands and record are believed because of where they lie.
  const faults = updaterFaults(places, windows);
  if (faults.length > 0) throw new Error(`${faults.join("; ")}: \`sallyport service install\` mends it`);
  return await runUpdater(
    {
      ...{ places, releaseKeys: RELEASE_KEYS, clock: systemClock, reached: () => {} },
      service: windowsService(windows, systemClock),
      platform: windowsPlatform(windows, places, isOwnersBy(windows)),
    },
    signal,
  );
}

/** The event log may be full or switched off: the update goes on. */
function note(what: HostNote): void {
  try {
    reportEvent(eventOf(what));
  } catch {
    // The record says it too.
  }
}
