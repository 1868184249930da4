import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { watchedTexts, watchFaults } from "./infra-watch.ts";
import { ROOT, readSources } from "./source.ts";

const PATHS = ["infra/app/alerts.bicep", "infra/app/workbook.json"];
const files = PATHS.map((path) => ({ path, text: readFileSync(join(ROOT, path), "utf8") }));
const sources = readSources();

test("alerts and workbook look for what the product writes", () => {
  assert.deepEqual(watchFaults(files, sources), []);
  for (const { text } of files) assert.ok(watchedTexts(text).length >= 2);
});

test("every spelling of a query is read", () => {
  const query = 'T | where A == \\"one\\" and B has "two" | where C has_any ("three", "four")';
  assert.deepEqual(watchedTexts(query), ["one", "two", "three", "four"]);
});

test("a line that was worded anew is seen", () => {
  const changed = sources.map((source) => ({
    ...source,
    text: source.text.replaceAll("canary not answered", "no answer"),
  }));
  assert.equal(watchFaults(files, changed).length, 2);
});
