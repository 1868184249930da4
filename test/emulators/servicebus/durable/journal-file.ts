import { DatabaseSync } from "node:sqlite";
import type { Journal, Saved } from "../broker/journal.ts";
import type { MessageState, StoredMessage } from "../broker/message.ts";

export type JournalFile = {
  readonly journal: Journal;
  readonly saved: Saved;
  /** Commits what is queued and closes the file. */
  close(): void;
};

const SCHEMA = `
  CREATE TABLE IF NOT EXISTS messages (
    entity TEXT NOT NULL, sequence INTEGER NOT NULL, state TEXT NOT NULL, id TEXT NOT NULL,
    ttl_ms INTEGER, scheduled_at_ms INTEGER, annotations BLOB NOT NULL, bare BLOB NOT NULL,
    enqueued_at_ms INTEGER NOT NULL, expires_at_ms INTEGER, deliveries INTEGER NOT NULL, dead_letter_source TEXT,
    PRIMARY KEY (entity, sequence)) STRICT;
  CREATE TABLE IF NOT EXISTS sequences (entity TEXT PRIMARY KEY, next INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS remembered (
    entity TEXT NOT NULL, id TEXT NOT NULL, until_ms INTEGER NOT NULL, PRIMARY KEY (entity, id)) STRICT;`;

/**
 * Opens, or creates, a journal in an SQLite file.
 *
 * All changes of one turn of the event loop become one transaction, so that the price of a sync to
 * disk is shared by everybody who waits for it; nobody is told of success before its COMMIT.
 */
export function openJournalFile(path: string): JournalFile {
  const database = new DatabaseSync(path);
  // FULL, because in WAL mode NORMAL may lose the last commits when the machine goes down.
  database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
  database.exec(SCHEMA);
  const saved = load(database);
  const write = prepareWrites(database);

  // By row, so that a message that comes and goes within one group is written once.
  let changes = new Map<string, () => void>();
  let group: PromiseWithResolvers<void> | undefined;

  const commit = () => {
    const mine = group;
    if (!mine) return;
    group = undefined;
    const queued = changes;
    changes = new Map();
    try {
      database.exec("BEGIN IMMEDIATE");
      for (const change of queued.values()) change();
      database.exec("COMMIT");
      mine.resolve();
    } catch (error) {
      if (database.isTransaction) database.exec("ROLLBACK");
      mine.reject(error);
    }
  };

  const queue = (row: string, change: () => void) => {
    changes.set(row, change);
    if (group) return;
    group = Promise.withResolvers();
    // Whoever waits hears of a failure; without a listener of our own, one that nobody waits for would end the process.
    group.promise.catch(() => {});
    setImmediate(commit);
  };

  return {
    saved,
    journal: {
      put: (entity, message) => queue(`m ${message.sequenceNumber} ${entity}`, () => write.put(entity, message)),
      remove: (entity, sequenceNumber) =>
        queue(`m ${sequenceNumber} ${entity}`, () => write.remove(entity, sequenceNumber)),
      sequence: (entity, next) => queue(`s ${entity}`, () => write.sequence(entity, next)),
      remember: (entity, id, untilMs) => queue(`r ${id} ${entity}`, () => write.remember(entity, id, untilMs)),
      committed: () => group?.promise ?? Promise.resolve(),
    },
    close() {
      commit();
      if (database.isOpen) database.close();
    },
  };
}

function prepareWrites(database: DatabaseSync) {
  const put = database.prepare("INSERT OR REPLACE INTO messages VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  const remove = database.prepare("DELETE FROM messages WHERE entity = ? AND sequence = ?");
  const sequence = database.prepare("INSERT OR REPLACE INTO sequences VALUES (?, ?)");
  const remember = database.prepare("INSERT OR REPLACE INTO remembered VALUES (?, ?, ?)");
  return {
    put(entity: string, { message, ...stored }: StoredMessage) {
      put.run(
        entity,
        stored.sequenceNumber,
        stored.state,
        message.messageId,
        message.ttlMs ?? null,
        message.scheduledAtMs ?? null,
        message.annotations,
        message.bare,
        stored.enqueuedAtMs,
        stored.expiresAtMs === Infinity ? null : stored.expiresAtMs,
        stored.deliveries,
        stored.deadLetterSource ?? null,
      );
    },
    remove: (entity: string, sequenceNumber: number) => remove.run(entity, sequenceNumber),
    sequence: (entity: string, next: number) => sequence.run(entity, next),
    remember: (entity: string, id: string, untilMs: number) => remember.run(entity, id, untilMs),
  };
}

type MessageRow = {
  entity: string;
  sequence: number;
  state: MessageState;
  id: string;
  ttl_ms: number | null;
  scheduled_at_ms: number | null;
  annotations: Uint8Array;
  bare: Uint8Array;
  enqueued_at_ms: number;
  expires_at_ms: number | null;
  deliveries: number;
  dead_letter_source: string | null;
};

function load(database: DatabaseSync): Saved {
  // The windows of duplicate detection end on their own; this is the one moment to sweep.
  database.prepare("DELETE FROM remembered WHERE until_ms <= ?").run(Date.now());
  const messages = database.prepare("SELECT * FROM messages ORDER BY entity, sequence").all() as MessageRow[];
  const sequences = database.prepare("SELECT entity, next FROM sequences").all() as { entity: string; next: number }[];
  const remembered = database.prepare("SELECT entity, id, until_ms FROM remembered ORDER BY until_ms").all();
  return {
    messages: messages.map((row) => ({ entity: row.entity, message: messageOf(row) })),
    sequences: new Map(sequences.map(({ entity, next }) => [entity, next])),
    remembered: (remembered as { entity: string; id: string; until_ms: number }[]).map((row) => ({
      entity: row.entity,
      messageId: row.id,
      untilMs: row.until_ms,
    })),
  };
}

function messageOf(row: MessageRow): StoredMessage {
  return {
    sequenceNumber: row.sequence,
    state: row.state,
    message: {
      messageId: row.id,
      ttlMs: row.ttl_ms ?? undefined,
      scheduledAtMs: row.scheduled_at_ms ?? undefined,
      annotations: Buffer.from(row.annotations),
      bare: Buffer.from(row.bare),
    },
    enqueuedAtMs: row.enqueued_at_ms,
    expiresAtMs: row.expires_at_ms ?? Infinity,
    deliveries: row.deliveries,
    deadLetterSource: row.dead_letter_source ?? undefined,
  };
}
