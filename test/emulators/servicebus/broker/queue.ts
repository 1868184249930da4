import { randomUUID } from "node:crypto";
import type { Clock } from "./clock.ts";
import { deliveredTooOften, expired } from "./dead-letter.ts";
import { createHeap, type HeapEntry } from "./heap.ts";
import type { Journal } from "./journal.ts";
import { createLocks, type Lock } from "./locks.ts";
import type { Message, PropertyChanges, StoredMessage } from "./message.ts";

/** What is the same for a queue, a subscription and their dead-letter queues. */
export type QueueSettings = {
  readonly lockMs: number;
  /** Infinity in a dead-letter queue. */
  readonly maxDeliveries: number;
  readonly defaultTtlMs: number;
  readonly deadLetterOnExpiry: boolean;
};

export type Delivery = {
  readonly stored: StoredMessage;
  /** A UUID; absent when the message left the queue with its delivery. */
  readonly lock: Lock | undefined;
};

/** Someone who takes messages as they come. */
export type Consumer = {
  readonly mode: ReceiveMode;
  /** Whether it can take one more message now. */
  ready(): boolean;
  deliver(delivery: Delivery): void;
};

export type ReceiveMode = "peekLock" | "receiveAndDelete";

export type Settlement =
  | { readonly to: "complete" }
  | { readonly to: "abandon" | "defer"; readonly changes?: PropertyChanges }
  | {
      readonly to: "deadLetter";
      readonly reason?: string;
      readonly description?: string;
      readonly changes?: PropertyChanges;
    };

export type SettlementResult = "settled" | "lockLost" | "notAllowed";

export type Queue = {
  readonly path: string;
  enqueue(message: Message, sequenceNumber: number): void;
  /** Takes over a message with its history, as a dead letter. */
  adopt(stored: StoredMessage): void;
  /** Takes back a message that the journal holds already. */
  restore(saved: StoredMessage): void;
  /** Delivers to the consumer whenever it is ready. Answers how to stop. */
  consume(consumer: Consumer): () => void;
  /** To be called when a consumer has become ready. */
  pump(): void;
  settle(lockToken: string, settlement: Settlement): SettlementResult;
  /** Answers the new end of the lock in milliseconds since 1970, or undefined when it was lost. */
  renew(lockToken: string): number | undefined;
  /** Deferred messages, all of those asked for or (undefined) none. */
  receiveDeferred(sequenceNumbers: readonly number[], mode: ReceiveMode): Delivery[] | undefined;
  messages(): Iterable<StoredMessage>;
};

export type QueueWorld = {
  readonly clock: Clock;
  readonly journal: Journal;
  /** Absent in a dead-letter queue. */
  readonly deadLetters?: Queue;
  /** The message with these application properties added or replaced. */
  readonly amend: (message: Message, changes: PropertyChanges) => Message;
};

type Entry = {
  stored: StoredMessage;
  place: HeapEntry<Entry> | undefined;
  lock: Lock | undefined;
  stopExpiry: () => void;
};

/**
 * A queue with the rules of Service Bus: order by sequence number, locks that expire, a delivery
 * count that ends in the dead-letter queue, time to live.
 * Source: https://learn.microsoft.com/azure/service-bus-messaging/message-transfers-locks-settlement
 */
export function createQueue(path: string, settings: QueueSettings, world: QueueWorld): Queue {
  const { clock, journal, deadLetters, amend } = world;
  const entries = new Map<number, Entry>();
  const available = createHeap<Entry>((a, b) => a.stored.sequenceNumber < b.stored.sequenceNumber);
  const locks = createLocks<Entry>({
    clock,
    lockMs: settings.lockMs,
    newToken: randomUUID,
    lost: (entry) => giveBack(entry),
  });
  let consumers: Consumer[] = [];

  const save = (entry: Entry, changed: Partial<StoredMessage>) => {
    entry.stored = { ...entry.stored, ...changed };
    journal.put(path, entry.stored);
  };

  const drop = (entry: Entry) => {
    const { sequenceNumber } = entry.stored;
    entry.stopExpiry();
    if (entry.place) available.remove(entry.place);
    entries.delete(sequenceNumber);
    journal.remove(path, sequenceNumber);
  };

  const bury = (entry: Entry, changes: PropertyChanges) => {
    drop(entry);
    deadLetters?.adopt({
      ...entry.stored,
      state: "active",
      message: amend(entry.stored.message, changes),
      expiresAtMs: Infinity,
      deadLetterSource: path,
    });
  };

  const expire = (entry: Entry) => {
    if (settings.deadLetterOnExpiry && deadLetters) bury(entry, expired);
    else drop(entry);
  };

  // A message that somebody works on, or that was put aside, is not taken away when its time is up:
  // Azure looks again when the lock ends, and leaves deferred messages alone.
  const expireIfIdle = (entry: Entry) => {
    if (entry.place) expire(entry);
  };

  const offer = (entry: Entry) => {
    if (entry.stored.expiresAtMs <= clock.now()) expire(entry);
    else entry.place = available.push(entry);
  };

  const giveBack = (entry: Entry, changes?: PropertyChanges) => {
    entry.lock = undefined;
    if (entry.stored.deliveries >= settings.maxDeliveries) {
      return bury(entry, { ...changes, ...deliveredTooOften(settings.maxDeliveries) });
    }
    save(entry, changes ? { message: amend(entry.stored.message, changes) } : {});
    if (entry.stored.state === "active") offer(entry);
    pump();
  };

  const handOut = (entry: Entry, mode: ReceiveMode): Delivery => {
    const { stored } = entry;
    if (mode === "receiveAndDelete") {
      drop(entry);
      return { stored, lock: undefined };
    }
    entry.place = undefined;
    entry.lock = locks.take(entry);
    entry.stored = { ...stored, deliveries: stored.deliveries + 1 };
    return { stored, lock: entry.lock };
  };

  const nextReady = () => {
    const index = consumers.findIndex((consumer) => consumer.ready());
    const consumer = consumers[index];
    // To the end of the line, so that competing consumers share the work.
    if (consumer) consumers = [...consumers.toSpliced(index, 1), consumer];
    return consumer;
  };

  const pump = () => {
    while (available.size() > 0) {
      const consumer = nextReady();
      if (!consumer) return;
      const entry = available.shift()!;
      entry.place = undefined;
      if (entry.stored.expiresAtMs <= clock.now()) expire(entry);
      else consumer.deliver(handOut(entry, consumer.mode));
    }
  };

  const restore = (stored: StoredMessage) => {
    const entry: Entry = { stored, place: undefined, lock: undefined, stopExpiry: () => {} };
    entries.set(stored.sequenceNumber, entry);
    if (stored.expiresAtMs !== Infinity) entry.stopExpiry = clock.at(stored.expiresAtMs, () => expireIfIdle(entry));
    if (stored.state === "active") offer(entry);
    pump();
  };

  const adopt = (stored: StoredMessage) => {
    journal.put(path, stored);
    restore(stored);
  };

  return {
    path,
    adopt,
    restore,
    pump,
    enqueue(message, sequenceNumber) {
      const nowMs = clock.now();
      adopt({
        sequenceNumber,
        state: "active",
        message,
        enqueuedAtMs: nowMs,
        expiresAtMs: nowMs + Math.min(message.ttlMs ?? Infinity, settings.defaultTtlMs),
        deliveries: 0,
        deadLetterSource: undefined,
      });
    },
    consume(consumer) {
      consumers = [...consumers, consumer];
      return () => {
        consumers = consumers.filter((other) => other !== consumer);
      };
    },
    settle(lockToken, settlement) {
      if (settlement.to === "deadLetter" && !deadLetters) return "notAllowed";
      const entry = locks.release(lockToken);
      if (!entry) return "lockLost";
      entry.lock = undefined;
      switch (settlement.to) {
        case "complete":
          drop(entry);
          break;
        case "abandon":
          giveBack(entry, settlement.changes);
          break;
        case "defer":
          save(entry, { state: "deferred", message: amend(entry.stored.message, settlement.changes ?? {}) });
          break;
        case "deadLetter":
          bury(entry, {
            ...settlement.changes,
            ...(settlement.reason === undefined ? {} : { DeadLetterReason: settlement.reason }),
            ...(settlement.description === undefined ? {} : { DeadLetterErrorDescription: settlement.description }),
          });
          break;
        default:
          settlement satisfies never;
      }
      return "settled";
    },
    renew: (lockToken) => locks.renew(lockToken),
    receiveDeferred(sequenceNumbers, mode) {
      const wanted = sequenceNumbers.map((number) => entries.get(number));
      if (!wanted.every((entry) => entry?.stored.state === "deferred" && !entry.lock)) return undefined;
      return wanted.map((entry) => handOut(entry!, mode));
    },
    messages: () => Array.from(entries.values(), ({ stored }) => stored),
  };
}
