/** The updater's service, for processes that load no FFI: they ask a child of their own program (install/windows/native-child.ts). */
import { systemClock } from "../../clock.ts";
import { SERVICE, UPDATE_SERVICE } from "../../install/windows/layout.ts";
import { type Ask, askNative } from "../../install/windows/native-child.ts";
import type { UpdatePlaces } from "../places.ts";
import { type Platform, platformName } from "../platform.ts";
import { versionIn } from "./command.ts";

const LOOK_EVERY_MS = 2_000;

/** Asks for its start; one that runs is left alone. @throws ConfigError */
export const wakeUpdater = (ask: Ask = askNative): void => {
  ask({ ask: "startUpdater" });
};

/** Starts it, and returns when it has ended. @throws ConfigError, Error after `withinMs` */
export async function startAndAwait(withinMs: number, ask: Ask = askNative, clock = systemClock): Promise<void> {
  const latestMs = clock.monotonicMs() + withinMs;
  wakeUpdater(ask);
  while (isRunning(ask)) {
    if (clock.monotonicMs() > latestMs) throw new Error(`${UPDATE_SERVICE} goes on: sallyport update status`);
    await clock.sleep(LOOK_EVERY_MS, new AbortController().signal);
  }
}

function isRunning(ask: Ask): boolean {
  const answer = ask({ ask: "service", name: UPDATE_SERVICE });
  return "service" in answer && answer.service !== null && answer.service.state !== "stopped";
}

/** Looks at the two services, and changes neither. */
export const platformByAsking = (
  { versions }: Pick<UpdatePlaces, "versions">,
  ask: Ask = askNative,
): Pick<Platform, "name" | "versionOf"> => ({
  name: platformName(),
  versionOf(pointer) {
    const answer = ask({ ask: "service", name: pointer === UPDATE_SERVICE ? UPDATE_SERVICE : SERVICE });
    return "service" in answer && answer.service !== null ? versionIn(answer.service.command, versions) : undefined;
  },
});
