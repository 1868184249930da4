import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Logger } from "pino";
import { systemClock } from "../clock.ts";
import { recentLines } from "../journal/journal.ts";
import { openJournaling } from "./journaling.ts";

test("the running agent's journal bounds what denials write of what was asked for, and has no copy unless told", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "sallyport-journaling-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const clock = { ...systemClock, wallMs: () => Date.UTC(2026, 0, 2, 3, 4) };
  const limits = { maxBytes: 2 ** 24, maxDays: 400 };
  const journaling = openJournaling(folder, limits, {} as never, clock, {} as Logger);
  for (let count = 0; count < 103; count += 1) {
    journaling.journal.append({ event: "request", decision: "deny", asked: ["Salary"] });
  }
  assert.equal(journaling.copied(), null);
  await journaling.close();
  assert.equal([...recentLines(folder, 0)].filter(({ asked }) => asked !== undefined).length, 100);
});
