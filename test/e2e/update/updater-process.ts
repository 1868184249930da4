/**
 * The updater in a process of its own, so that it can be killed: the service manager is the test, asked by IPC. Its first message says
 * where, with what key, and at which step it ends as a killed process does.
 */
import { once } from "node:events";
import { systemClock } from "@sallyport/agent/src/clock.ts";
import { layoutIn } from "@sallyport/agent/src/install/layout.ts";
import { updatePlaces } from "@sallyport/agent/src/update/places.ts";
import { linksPlatform } from "@sallyport/agent/src/update/platform.ts";
import { runUpdater, type Step } from "@sallyport/agent/src/update/updater.ts";

import { hasServices, placesOfServices, platformOfServices } from "./registered.ts";

export interface Orders {
  readonly root: string;
  readonly releaseKeys: readonly string[];
  readonly healthyWithinMs: number;
  readonly killAt: Step | null;
}

const [orders] = (await once(process, "message")) as [Orders];

async function ask(what: "stop" | "start"): Promise<void> {
  process.send?.({ ask: what });
  await once(process, "message");
}

const layout = layoutIn(orders.root);
const isWindows = hasServices(orders.root);
const places = isWindows ? placesOfServices(layout) : updatePlaces(layout);

const last = await runUpdater(
  {
    places,
    platform: isWindows ? platformOfServices(orders.root, places) : linksPlatform,
    service: { stop: () => ask("stop"), start: () => ask("start") },
    releaseKeys: orders.releaseKeys,
    healthyWithinMs: orders.healthyWithinMs,
    clock: systemClock,
    reached(step) {
      if (step === orders.killAt) process.kill(process.pid, "SIGKILL");
    },
  },
  new AbortController().signal,
);
process.send?.({ last: last ?? null });
process.disconnect?.();
