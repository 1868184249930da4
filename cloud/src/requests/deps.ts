/** What requests by hand are given by whoever composes the process. */
import type { ContainerClient } from "@azure/storage-blob";
import { DEFAULT_PULL_SETTINGS } from "../pulls/settings.ts";
import type { OpenSession } from "../sessions/session.ts";
import type { Links } from "../sinks/links.ts";
import type { Store } from "../store/open.ts";
import type { RequestPlaces } from "./places.ts";

/** A doorbell for a request: somebody should go on with it. */
export interface RequestBell {
  readonly tenant: string;
  readonly request: string;
}

export interface RequestSettings {
  /** How long a holder is believed to be at work after its last sign of life. */
  readonly leaseSeconds: number;
  /** The pause before an agent that was away or busy is asked again. */
  readonly waitSeconds: number;
  /** How long an agent is waited for. */
  readonly deadlineSeconds: number;
  /** How long a request and its result are kept. */
  readonly keepSeconds: number;
}

export const DEFAULT_REQUEST_SETTINGS: RequestSettings = {
  // One setting serves both (settings.ts).
  leaseSeconds: DEFAULT_PULL_SETTINGS.leaseSeconds,
  waitSeconds: 10,
  deadlineSeconds: 900,
  keepSeconds: 86_400,
};

export interface RequestDeps {
  readonly store: Pick<Store, "requests" | "connections">;
  readonly blobs: ContainerClient;
  readonly links: Links;
  readonly openSession: OpenSession;
  readonly places: RequestPlaces;
  /** Rings not before `atMs`. */
  ring(bell: RequestBell, atMs: number): Promise<void>;
  readonly settings: RequestSettings;
  /** Aborted when this process is about to stop. */
  readonly stopping: AbortSignal;
  now(): Date;
  random(bytes: number): Buffer;
  log(what: string, facts: Readonly<Record<string, unknown>>): void;
}
