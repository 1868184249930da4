/** docs/journal.md names every field and event of the journal, and none that there is not. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { journalFacts } from "@sallyport/agent/src/journal/line.ts";

const page = readFileSync(new URL("../../docs/journal.md", import.meta.url), "utf8");

/** The code words of the first column of the table under this head. */
function firstColumn(head: string): string[] {
  const rows = page
    .slice(page.indexOf(`\n| ${head} |`))
    .split("\n")
    .slice(3);
  const end = rows.findIndex((row) => !row.startsWith("|"));
  return rows
    .slice(0, end)
    .flatMap((row) => [...(row.split("|")[1] ?? "").matchAll(/`([^`]+)`/g)].map(([, word]) => word ?? ""));
}

test("fields", () => {
  const fields = ["seq", "at", "prev", ...Object.keys(journalFacts.shape)];
  assert.deepEqual(firstColumn("field").sort(), fields.sort());
});

test("events", () => assert.deepEqual(firstColumn("event").sort(), [...journalFacts.shape.event.options].sort()));
