import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { docsPage } from "./docs-page.ts";

test("advice names a page where it is: on this machine, or in the repository", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-docs-"));
  t.after(() => rmSync(folder, { recursive: true }));
  assert.equal(docsPage("checks/files.md", folder), "docs/checks/files.md of the repository");
  mkdirSync(join(folder, "checks"));
  writeFileSync(join(folder, "checks", "files.md"), "");
  assert.equal(docsPage("checks/files.md", folder), join(folder, "checks", "files.md"));
});
