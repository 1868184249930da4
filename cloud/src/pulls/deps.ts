/** What the pulls' modules are given by whoever composes the process. */
import type { ContainerClient } from "@azure/storage-blob";
import type { SinkFormat } from "@sallyport/shared/schema/pull.ts";
import type { FreshnessEvent } from "../events/event.ts";
import type { OpenSession } from "../sessions/session.ts";
import type { Links } from "../sinks/links.ts";
import type { Sink } from "../sinks/sink.ts";
import type { Store } from "../store/open.ts";
import type { Telemetry } from "../telemetry/telemetry.ts";
import type { Ring } from "./ring.ts";
import type { PullSettings } from "./settings.ts";
import type { Tell } from "./tell.ts";

/** The one source of time. The wall clock is for what is written down, the monotonic one for how long something took. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Milliseconds since some moment; never steps back. */
  monotonic(): number;
  /** Acts once after `delayMs`; the answer takes it back. */
  after(delayMs: number, act: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, act) {
    const timer = setTimeout(act, Math.min(delayMs, 2 ** 31 - 1));
    return () => clearTimeout(timer);
  },
};

export interface PullDeps {
  readonly store: Store;
  readonly blobs: ContainerClient;
  readonly sinks: Readonly<Record<SinkFormat, Sink>>;
  readonly links: Links;
  readonly openSession: OpenSession;
  readonly ring: Ring;
  readonly tell: Tell;
  /** Throws when nobody could be told: it is then told again later. */
  readonly tellFreshness: (event: FreshnessEvent) => Promise<void>;
  readonly clock: Clock;
  readonly random: (bytes: number) => Buffer;
  readonly settings: PullSettings;
  readonly telemetry: Telemetry;
  /** What happened, for the log: ids, codes and numbers, never values. */
  readonly log: (what: string, facts: Readonly<Record<string, unknown>>) => void;
}

export const isoTime = (ms: number): string => new Date(ms).toISOString();
export const pause = (clock: Clock, ms: number): Promise<void> => new Promise((done) => void clock.after(ms, done));
