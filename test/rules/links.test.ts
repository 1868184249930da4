import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { deadLinks, readPages } from "./links.ts";
import { ROOT } from "./source.ts";

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
