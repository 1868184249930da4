/**
 * The updater's process: what `sallyport-update.service` starts. No arguments and no network; where it works it takes from where it
 * lies, `…/opt/sallyport/versions/<version>/app`, and what to do from files that only administrators write.
 */
import { realpathSync } from "node:fs";
import { resolve } from "node:path";
import { systemClock } from "../clock.ts";
import { refuseEnvironment } from "../config.ts";
import { layoutIn } from "../install/layout.ts";
import { updatePlaces } from "./places.ts";
import { RELEASE_KEYS } from "./release-keys.ts";
import { systemdService } from "./service.ts";
import { runUpdater } from "./updater.ts";

const EXIT = { ok: 0, failed: 1, usage: 64 } as const;

/** One JSON line each, which the service manager keeps. */
const say = (what: string, facts: Readonly<Record<string, unknown>>): void => {
  process.stderr.write(`${JSON.stringify({ time: Date.now(), what, ...facts })}\n`);
};

async function main(): Promise<number> {
  if (process.argv.length > 2) {
    say("the updater takes no arguments", {});
    return EXIT.usage;
  }
  refuseEnvironment();
  const root = resolve(realpathSync(import.meta.dirname), "../../../../..");
  const stop = new AbortController();
  process.once("SIGTERM", () => stop.abort());
  const last = await runUpdater(
    {
      places: updatePlaces(layoutIn(root)),
      service: systemdService,
      releaseKeys: RELEASE_KEYS,
      clock: systemClock,
      reached: say,
    },
    stop.signal,
  );
  return last === undefined || last.outcome === "applied" ? EXIT.ok : EXIT.failed;
}

try {
  process.exitCode = await main();
} catch (error) {
  say("failed", { why: (error as Error).message });
  process.exitCode = EXIT.failed;
}
