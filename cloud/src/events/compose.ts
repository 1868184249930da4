/** Joins the events' parts; the clients come from the process's own composition. */
import type { ServiceBusSender } from "@azure/service-bus";
import type { Tell } from "../pulls/tell.ts";
import type { SecretStore } from "../secrets/secrets.ts";
import type { Store } from "../store/open.ts";
import type { WatchDeps } from "./agents.ts";
import { type Backoff, DEFAULT_BACKOFF } from "./backoff.ts";
import { queueRing, topicPublish } from "./bus.ts";
import type { DeliverDeps } from "./deliver.ts";
import { createEmit } from "./emit.ts";
import { type FreshnessEvent, freshnessEvent, runEvent } from "./event.ts";
import { dnsResolve } from "./lookup.ts";
import { allowedNetworks, networksOf } from "./networks.ts";
import { lookupPlaces, readSecretsOf, type WebhookDeps } from "./webhooks.ts";

export interface EventParts {
  readonly store: Store;
  readonly secrets: SecretStore;
  readonly origin: string;
  readonly topic: Pick<ServiceBusSender, "sendMessages">;
  readonly deliveries: Pick<ServiceBusSender, "sendMessages" | "scheduleMessages">;
  readonly canarySeconds: number;
  /** Networks in CIDR, separated by commas, that webhooks may reach beside the public ones. */
  readonly networks: string | undefined;
  /** The first pause after a failure; the default otherwise. */
  readonly firstSeconds: number;
  readonly random: (bytes: number) => Buffer;
  readonly now: () => Date;
  readonly log: (what: string, facts: Readonly<Record<string, unknown>>) => void;
  readonly alert: (what: string, facts: Readonly<Record<string, unknown>>) => void;
}

/** What the triggers and routes of events call, and how pulls tell theirs. */
export interface Events {
  readonly webhooks: WebhookDeps;
  readonly deliver: DeliverDeps;
  readonly watch: WatchDeps;
  readonly tell: Tell;
  readonly tellFreshness: (event: FreshnessEvent) => Promise<void>;
}

/** For one attempt; a receiver that needs longer does its work after it has answered. */
const TIMEOUT_MS = 10_000;

export function composeEvents(parts: EventParts): Events {
  const { store, secrets, origin, canarySeconds, random, now, log, alert } = parts;
  const common = { store, random, now, log, monotonic: () => performance.now(), ring: queueRing(parts.deliveries) };
  const emit = createEmit({ ...common, lanes: store.lanes, publish: topicPublish(parts.topic) });
  const reach = { resolve: dnsResolve(), networks: allowedNetworks(networksOf(parts.networks)) };
  const backoff: Backoff = { ...DEFAULT_BACKOFF, firstSeconds: parts.firstSeconds };
  return {
    webhooks: { ...common, ...reach, lanes: store.lanes, secrets, origin, lookups: lookupPlaces() },
    deliver: { ...common, ...reach, timeoutMs: TIMEOUT_MS, secretsOf: readSecretsOf(secrets), backoff, alert },
    watch: { store, emit, origin, canarySeconds, now, log },
    tell: (event) => emit(event.tenant, runEvent(origin, event)),
    tellFreshness: (event) => emit(event.tenant, freshnessEvent(origin, event)),
  };
}
