import type { Clock } from "./clock.ts";
import { createDuplicates } from "./duplicates.ts";
import type { Journal } from "./journal.ts";
import type { Message, StoredMessage } from "./message.ts";

/** The way into a queue or a topic: duplicate detection, then scheduling, then the entity itself. */
export type Inlet = {
  /** Answers the sequence number of each message; a duplicate is swallowed and gets 0. */
  accept(messages: readonly Message[]): number[];
  /** Takes back scheduled messages: all of them, or none when one of the numbers is not scheduled. */
  cancel(sequenceNumbers: readonly number[]): boolean;
  scheduled(): Iterable<StoredMessage>;
  restore(saved: StoredMessage): void;
  restoreDuplicate(messageId: string, untilMs: number): void;
  nextSequenceNumber(): number;
  restoreSequence(next: number): void;
};

export type InletOptions = {
  readonly path: string;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly duplicateWindowMs: number | undefined;
  /** The entity takes a message that is due. Answers its sequence number. */
  readonly arrive: (message: Message) => number;
};

export function createInlet({ path, clock, journal, duplicateWindowMs, arrive }: InletOptions): Inlet {
  const waiting = new Map<number, { stored: StoredMessage; cancel: () => void }>();
  const duplicates =
    duplicateWindowMs === undefined
      ? undefined
      : createDuplicates(duplicateWindowMs, (messageId, untilMs) => journal.remember(path, messageId, untilMs));
  let next = 1;

  const nextSequenceNumber = () => {
    const number = next;
    next += 1;
    journal.sequence(path, next);
    return number;
  };

  const remove = (sequenceNumber: number) => {
    waiting.get(sequenceNumber)?.cancel();
    waiting.delete(sequenceNumber);
    journal.remove(path, sequenceNumber);
  };

  const wait = (stored: StoredMessage, dueMs: number) => {
    const cancel = clock.at(dueMs, () => {
      remove(stored.sequenceNumber);
      // As in Azure, a message that becomes active is appended with a new sequence number.
      arrive(stored.message);
    });
    waiting.set(stored.sequenceNumber, { stored, cancel });
  };

  const schedule = (message: Message, dueMs: number) => {
    const stored: StoredMessage = {
      sequenceNumber: nextSequenceNumber(),
      state: "scheduled",
      message,
      enqueuedAtMs: clock.now(),
      expiresAtMs: Infinity,
      deliveries: 0,
      deadLetterSource: undefined,
    };
    journal.put(path, stored);
    wait(stored, dueMs);
    return stored.sequenceNumber;
  };

  const acceptOne = (message: Message) => {
    const nowMs = clock.now();
    if (duplicates?.repeated(message.messageId, nowMs)) return 0;
    const dueMs = message.scheduledAtMs ?? 0;
    return dueMs > nowMs ? schedule(message, dueMs) : arrive(message);
  };

  return {
    accept: (messages) => messages.map(acceptOne),
    cancel(sequenceNumbers) {
      if (!sequenceNumbers.every((number) => waiting.has(number))) return false;
      for (const number of sequenceNumbers) remove(number);
      return true;
    },
    scheduled: () => Array.from(waiting.values(), ({ stored }) => stored),
    restore: (saved) => wait(saved, saved.message.scheduledAtMs ?? 0),
    restoreDuplicate: (messageId, untilMs) => duplicates?.restore(messageId, untilMs),
    nextSequenceNumber,
    restoreSequence(saved) {
      next = saved;
    },
  };
}
