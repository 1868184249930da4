import {
  type EntitySettings,
  type QueueEntitySettings,
  subscriptionPath,
  type TopicEntitySettings,
} from "../config/settings.ts";
import type { Clock } from "./clock.ts";
import type { Facets } from "./facets.ts";
import { createInlet, type Inlet } from "./inlet.ts";
import type { Journal, Saved } from "./journal.ts";
import type { Message, PropertyChanges, StoredMessage } from "./message.ts";
import { createQueue, type Queue } from "./queue.ts";
import { selects } from "./rules.ts";

/** What an address leads to. Without an inlet nothing can be sent to it, without a queue nothing received. */
export type Entity = {
  readonly path: string;
  readonly inlet: Inlet | undefined;
  readonly queue: Queue | undefined;
};

export type Namespace = {
  /** Names are compared without case, as in Azure. */
  find(address: string): Entity | undefined;
};

export type NamespaceWorld = {
  readonly clock: Clock;
  readonly journal: Journal;
  readonly saved: Saved | undefined;
  readonly amend: (message: Message, changes: PropertyChanges) => Message;
  readonly facets: (message: Message) => Facets;
};

export const DEAD_LETTER_SUFFIX = "/$DeadLetterQueue";

/** Builds all entities of the configuration and fills them with what the journal held. */
export function createNamespace(settings: readonly EntitySettings[], world: NamespaceWorld): Namespace {
  const entities = new Map<string, Entity>();
  const add = (entity: Entity) => entities.set(entity.path.toLowerCase(), entity);

  const createPair = (path: string, { queue }: QueueEntitySettings): Queue => {
    const deadLetters = createQueue(
      path + DEAD_LETTER_SUFFIX,
      { lockMs: queue.lockMs, maxDeliveries: Infinity, defaultTtlMs: Infinity, deadLetterOnExpiry: false },
      world,
    );
    add({ path: deadLetters.path, inlet: undefined, queue: deadLetters });
    return createQueue(path, queue, { ...world, deadLetters });
  };

  const addQueue = (settings: QueueEntitySettings & { name: string; duplicateWindowMs: number | undefined }) => {
    const queue = createPair(settings.name, settings);
    const inlet: Inlet = createInlet({
      ...world,
      path: settings.name,
      duplicateWindowMs: settings.duplicateWindowMs,
      arrive(message) {
        const sequenceNumber = inlet.nextSequenceNumber();
        queue.enqueue(message, sequenceNumber);
        return sequenceNumber;
      },
    });
    add({ path: settings.name, inlet, queue });
  };

  const addTopic = (settings: TopicEntitySettings) => {
    const subscriptions = settings.subscriptions.map((subscription) => {
      const queue = createPair(subscriptionPath(settings.name, subscription.name), subscription);
      add({ path: queue.path, inlet: undefined, queue });
      return { queue, rules: subscription.rules };
    });
    const inlet: Inlet = createInlet({
      ...world,
      path: settings.name,
      duplicateWindowMs: settings.duplicateWindowMs,
      arrive(message) {
        const sequenceNumber = inlet.nextSequenceNumber();
        const facets = world.facets(message);
        const ttlMs = Math.min(message.ttlMs ?? Infinity, settings.defaultTtlMs);
        const copy = ttlMs === Infinity ? message : { ...message, ttlMs };
        for (const { queue, rules } of subscriptions) {
          if (selects(rules, facets)) queue.enqueue(copy, sequenceNumber);
        }
        return sequenceNumber;
      },
    });
    add({ path: settings.name, inlet, queue: undefined });
  };

  for (const entity of settings) {
    if (entity.kind === "queue") addQueue(entity);
    else addTopic(entity);
  }
  const namespace: Namespace = { find: (address) => entities.get(address.toLowerCase()) };
  if (world.saved) restore(namespace, world.saved, world.clock.now());
  return namespace;
}

/** Entities that the configuration no longer names keep their messages in the file, unseen. */
function restore(namespace: Namespace, saved: Saved, nowMs: number): void {
  for (const [path, next] of saved.sequences) namespace.find(path)?.inlet?.restoreSequence(next);
  for (const { entity, messageId, untilMs } of saved.remembered) {
    if (untilMs > nowMs) namespace.find(entity)?.inlet?.restoreDuplicate(messageId, untilMs);
  }
  for (const { entity: path, message } of saved.messages) {
    const entity = namespace.find(path);
    if (message.state === "scheduled") entity?.inlet?.restore(message);
    else entity?.queue?.restore(message);
  }
}

/** The messages of an entity from a sequence number on, in order, without locking them. */
export function peek(entity: Entity, fromSequenceNumber: number, count: number): StoredMessage[] {
  const all = [...(entity.queue?.messages() ?? []), ...(entity.inlet?.scheduled() ?? [])];
  return all
    .filter(({ sequenceNumber }) => sequenceNumber >= fromSequenceNumber)
    .sort((a, b) => a.sequenceNumber - b.sequenceNumber)
    .slice(0, count);
}
