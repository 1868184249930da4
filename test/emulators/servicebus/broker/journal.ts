import type { StoredMessage } from "./message.ts";

/**
 * Where the broker notes what must survive it. Every call but `committed` only queues a change.
 * Locks are not noted: after a restart all messages are free again, as after an expired lock.
 */
export type Journal = {
  put(entity: string, message: StoredMessage): void;
  remove(entity: string, sequenceNumber: number): void;
  /** The next sequence number the entity will give; numbers are never given twice. */
  sequence(entity: string, next: number): void;
  /** A message id that duplicate detection remembers until then. */
  remember(entity: string, messageId: string, untilMs: number): void;
  /** Resolves when everything queued so far is safe; only then may a sender be told so. */
  committed(): Promise<void>;
};

/** What a journal held when it was opened. */
export type Saved = {
  readonly messages: readonly { readonly entity: string; readonly message: StoredMessage }[];
  readonly sequences: ReadonlyMap<string, number>;
  readonly remembered: readonly { readonly entity: string; readonly messageId: string; readonly untilMs: number }[];
};

/** For an emulator without a data file: everything ends with the process. */
export const forgetfulJournal: Journal = {
  put() {},
  remove() {},
  sequence() {},
  remember() {},
  committed: () => Promise.resolve(),
};
