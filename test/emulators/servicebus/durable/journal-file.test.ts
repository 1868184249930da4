import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import type { StoredMessage } from "../broker/message.ts";
import { openJournalFile } from "./journal-file.ts";

async function path(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "journal-"));
  t.after(() => rm(folder, { recursive: true }));
  return join(folder, "data.sqlite");
}

const stored = (sequenceNumber: number, changes: Partial<StoredMessage> = {}): StoredMessage => ({
  sequenceNumber,
  state: "active",
  message: {
    messageId: `m${sequenceNumber}`,
    ttlMs: undefined,
    scheduledAtMs: undefined,
    annotations: Buffer.alloc(0),
    bare: Buffer.from([0, 255, 1]),
  },
  enqueuedAtMs: 1,
  expiresAtMs: Infinity,
  deliveries: 0,
  deadLetterSource: undefined,
  ...changes,
});

test("gives back what was put in, field by field", async (t) => {
  const file = await path(t);
  const first = openJournalFile(file);
  const full = stored(2, { state: "scheduled", expiresAtMs: 99, deliveries: 3, deadLetterSource: "q" });
  const message = { ...full.message, ttlMs: 5, scheduledAtMs: 7, annotations: Buffer.from([1]) };
  first.journal.put("q", stored(1));
  first.journal.put("q", { ...full, message });
  first.journal.sequence("q", 3);
  first.journal.remember("q", "later", Date.now() + 60_000);
  first.journal.remember("q", "past", Date.now() - 1);
  first.close();
  const second = openJournalFile(file);
  t.after(() => second.close());
  assert.deepEqual(second.saved.messages, [
    { entity: "q", message: stored(1) },
    { entity: "q", message: { ...full, message } },
  ]);
  assert.deepEqual([...second.saved.sequences], [["q", 3]]);
  assert.deepEqual(
    second.saved.remembered.map(({ messageId }) => messageId),
    ["later"],
  );
});

test("everything queued in one turn is one commit, and committed() resolves after it", async (t) => {
  const file = await path(t);
  const { journal, close } = openJournalFile(file);
  t.after(close);
  const reader = new DatabaseSync(file, { readOnly: true });
  t.after(() => reader.close());
  const count = () => reader.prepare("SELECT count(*) AS n FROM messages").get()?.n;
  for (let number = 1; number <= 100; number += 1) journal.put("q", stored(number));
  journal.remove("q", 100);
  assert.equal(count(), 0);
  await journal.committed();
  assert.equal(count(), 99);
  await journal.committed();
});

test("a failed commit is told to those who wait, and the next one stands on its own", async (t) => {
  const file = await path(t);
  const { journal, close } = openJournalFile(file);
  t.after(close);
  journal.put("q", stored(1));
  journal.put("q", stored(2, { state: null as never }));
  await assert.rejects(journal.committed(), /NOT NULL/);
  journal.put("q", stored(3));
  await journal.committed();
  const reader = new DatabaseSync(file, { readOnly: true });
  t.after(() => reader.close());
  assert.deepEqual(
    reader
      .prepare("SELECT sequence FROM messages")
      .all()
      .map((row) => row.sequence),
    [3],
  );
});
