import type { QueueSettings } from "../broker/queue.ts";
import type { Rule } from "../broker/rules.ts";

/** The configuration in the broker's own terms: milliseconds, and rules that are understood. */
export type QueueEntitySettings = { readonly queue: QueueSettings };

export type SubscriptionSettings = QueueEntitySettings & { readonly name: string; readonly rules: readonly Rule[] };

export type TopicEntitySettings = {
  readonly kind: "topic";
  readonly name: string;
  readonly defaultTtlMs: number;
  readonly duplicateWindowMs: number | undefined;
  readonly subscriptions: readonly SubscriptionSettings[];
};

export type EntitySettings =
  | TopicEntitySettings
  | (QueueEntitySettings & {
      readonly kind: "queue";
      readonly name: string;
      readonly duplicateWindowMs: number | undefined;
    });

/** The address from which a subscription's messages are received. */
export function subscriptionPath(topic: string, subscription: string): string {
  return `${topic}/Subscriptions/${subscription}`;
}
