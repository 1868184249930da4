import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { openJournal } from "./journal.ts";
import { createKnownHead } from "./known.ts";
import type { JournalHead } from "./line.ts";

let folder: string;
let heads: JournalHead[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sallyport-known-"));
  const journal = openJournal(folder, { maxBytes: 1 << 20, maxDays: 400, fileBytes: 800 });
  heads = Array.from({ length: 20 }, () => {
    journal.append({ event: "token" });
    return journal.head()!;
  });
  journal.close();
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("nothing is shown before the first answer, then the line that it named, from whichever file", () => {
  const known = createKnownHead(folder, () => 0);
  assert.deepEqual(known.shown(), {});
  for (const head of heads) {
    assert.equal(known.answered(head), true);
    assert.deepEqual(known.shown(), { known: head });
  }
  assert.deepEqual(known.last, { ...heads.at(-1), at: "1970-01-01T00:00:00.000Z" });
  assert.equal(known.answered(null), true);
  assert.deepEqual(known.shown(), {});
});

test("a line that was altered is shown as it is now, and one that is gone without a hash", () => {
  const known = createKnownHead(folder, () => 0);
  known.answered(heads.at(-1));
  const current = join(folder, "journal.jsonl");
  const text = readFileSync(current, "utf8");
  writeFileSync(current, text.replace(/token(?=[^\n]*\n$)/, "drain"));
  const altered = known.shown().known?.hash;
  assert.ok(altered !== null && altered !== heads.at(-1)?.hash);
  writeFileSync(current, text.replace(/[^\n]*\n$/, ""));
  assert.deepEqual(known.shown(), { known: { seq: 20, hash: null } });
  assert.equal(known.answered(heads.at(-1)), false);
  assert.equal(known.answered({ seq: 21, hash: heads[0]!.hash }), false);
});
