/** Whether a version that was just started works: its control channel is up, and something of the orchestrator's has arrived by it. */
import { parseJson } from "@sallyport/shared/json.ts";
import { z } from "zod";
import type { Clock } from "../clock.ts";
import { readBounded } from "../regular-file.ts";
import type { UpdatePlaces } from "./places.ts";

/** The orchestrator's canary comes within a minute to an agent that tells of another version than before. */
export const HEALTHY_WITHIN_MS = 120_000;
const LOOK_EVERY_MS = 500;
const MAX_STATUS_BYTES = 256 * 1024;

const status = z.object({
  version: z.string(),
  at: z.iso.datetime(),
  startedAt: z.iso.datetime(),
  channel: z.object({ state: z.string() }),
  /** Of this process: it begins with null. */
  canary: z.object({ heardAt: z.iso.datetime().nullable() }),
});

/** What the process said that wrote the status before: by it another one is known, whatever the clock does meanwhile. */
export function lastStartedAt({ state }: UpdatePlaces): string | undefined {
  const text = readOrNothing(state.status);
  return status.safeParse(text === undefined ? undefined : parseJson(text)).data?.startedAt;
}

/**
 * What is missing; undefined when nothing is. A locked or draining agent is healthy, and so is one that serves: any request that
 * arrived is as good as a canary. Pure.
 * @param before `lastStartedAt` before it was started
 */
export function whyUnhealthy(
  text: Uint8Array | undefined,
  version: string,
  before: string | undefined,
): string | undefined {
  const parsed = status.safeParse(text === undefined ? undefined : parseJson(text));
  if (!parsed.success) return "it wrote no status";
  const { data } = parsed;
  // A process of before may still write while it ends.
  if (data.startedAt === before) return "it did not start";
  if (data.version !== version) return `version ${data.version.slice(0, 40)} was started`;
  if (data.channel.state !== "online") return "its control channel is down";
  return data.canary.heardAt === null ? "no canary has arrived" : undefined;
}

/** Waits until it works, and answers undefined; or what was missing at the end. */
export async function awaitHealth(
  { state }: UpdatePlaces,
  { version, before, withinMs }: { version: string; before: string | undefined; withinMs: number },
  clock: Clock,
  signal: AbortSignal,
): Promise<string | undefined> {
  const untilMs = clock.monotonicMs() + withinMs;
  for (;;) {
    const why = whyUnhealthy(readOrNothing(state.status), version, before);
    if (why === undefined || clock.monotonicMs() >= untilMs) return why;
    await clock.sleep(LOOK_EVERY_MS, signal);
  }
}

/** The folder is the agent's own: what lies there instead of a file is its trouble. */
function readOrNothing(path: string): Buffer | undefined {
  try {
    return readBounded(path, MAX_STATUS_BYTES);
  } catch {
    return undefined;
  }
}
