import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openLog } from "./own-log.ts";

test("lines that cannot be written end nothing, and cost no more than their memory", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-log-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "log");
  const good = openSync(file, "w");
  openLog(good).info("written");
  closeSync(good);
  assert.match(readFileSync(file, "utf8"), /"msg":"written"/);
  // A descriptor that takes nothing, as that of a full disk; the error is another.
  const bad = openSync(file, "r");
  const log = openLog(bad);
  const before = process.memoryUsage().rss;
  for (let line = 0; line < 300; line += 1) log.error({ why: "x".repeat(2 ** 17) }, "not written");
  assert.ok(process.memoryUsage().rss - before < 24 * 2 ** 20);
  closeSync(bad);
});
