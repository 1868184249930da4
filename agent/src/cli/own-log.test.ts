import assert from "node:assert/strict";
import type { EventEmitter } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import pino from "pino";
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
  let lost = 0;
  const out: EventEmitter = Reflect.get(log, pino.symbols.streamSym);
  out.on("drop", () => {
    lost += 1;
  });
  for (let line = 0; line < 300; line += 1) log.error({ why: "x".repeat(2 ** 17) }, "not written");
  // Seven of them fit into a mebibyte.
  assert.equal(lost, 293);
  closeSync(bad);
});
