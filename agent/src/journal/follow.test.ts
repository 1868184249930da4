import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { endOf, linesAfter, START } from "./follow.ts";
import { openJournal } from "./journal.ts";

test("the end of a journal is where reading all of it ends, a line that is being written left out", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-follow-"));
  t.after(() => rmSync(folder, { recursive: true }));
  assert.deepEqual(endOf(folder), START);
  const journal = openJournal(folder, { maxBytes: 2 ** 20, maxDays: 400, fileBytes: 800 });
  for (let count = 0; count < 20; count += 1) journal.append({ event: "token" });
  assert.ok(readdirSync(folder).length > 1);
  assert.deepEqual(endOf(folder), linesAfter(folder, START).place);
  appendFileSync(join(folder, "journal.jsonl"), '{"seq":21,"torn');
  const end = endOf(folder);
  assert.deepEqual(end, linesAfter(folder, START).place);
  appendFileSync(join(folder, "journal.jsonl"), '"}\n');
  assert.deepEqual(linesAfter(folder, end).lines.map(String), ['{"seq":21,"torn"}\n']);
  journal.close();
});
