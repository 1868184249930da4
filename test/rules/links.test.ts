import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { deadLinks, missingSources, readPages } from "./links.ts";
import { ROOT, readSources } from "./source.ts";

test("every link of a page leads to a file, and to a heading of it", () => {
  const pages = readPages();
  assert.ok(pages.length > 40);
  assert.deepEqual(
    deadLinks(pages, (path) => existsSync(join(ROOT, path))),
    [],
  );
});

test("a file or a heading that is not there is seen; what is shown as code is no link", () => {
  const there = { path: "docs/a.md", text: "# One\n\n## What's `left`, and why\n" };
  const from = (text: string) =>
    deadLinks([there, { path: "docs/b.md", text }], (path) => ["docs/a.md", "docs/b.md", "docs"].includes(path));
  assert.deepEqual(
    from("[x](a.md) [x](a.md#one) [x](a.md#whats-left-and-why) [x](../docs) [x](https://b.example)"),
    [],
  );
  assert.deepEqual(from("`[x](c.md)`\n```\n[x](c.md)\n```\n"), []);
  assert.deepEqual(from("[x](c.md) [x](a.md#two) [x](#three)"), [
    "docs/b.md: c.md",
    "docs/b.md: a.md#two",
    "docs/b.md: #three",
  ]);
});

const OTHER_SOURCES = [
  "docs/cost.ts",
  ...readdirSync(join(ROOT, "infra"), { recursive: true }).map((name) => `infra/${name}`),
];

test("every source that a page names is there", () => {
  const sources = [...readSources().map(({ path }) => path), ...OTHER_SOURCES];
  assert.deepEqual(missingSources(readPages(), sources), []);
});

test("one that is not is seen, also where another's name ends like it", () => {
  const page = { path: "a.md", text: "`pulls/tick.ts`, `tick.ts` and `ick.ts`" };
  assert.deepEqual(missingSources([page], ["cloud/src/pulls/tick.ts"]), ["a.md: ick.ts"]);
});
