import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { openJournal, recentLines } from "../journal/journal.ts";
import { endOrphans, readPastDay } from "./startup.ts";

const limits = { maxBytes: 1 << 20, maxDays: 400 };
const REQUEST = "0123456789abcdef0123456789abcdef";
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sallyport-startup-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test("a request whose end is missing gets one at start; today's bytes are counted, reserved ones where none are named", () => {
  const journal = openJournal(folder, limits);
  journal.append({ event: "request", request: REQUEST, connection: "erp", decision: "allow" });
  journal.append({ event: "end", request: REQUEST, connection: "erp", bytesOut: 700 });
  const orphan = "f".repeat(32);
  const killed = "e".repeat(32);
  const reserved = { connection: "erp", decision: "allow", bytesReserved: 10_000 } as const;
  journal.append({ event: "request", request: killed, ...reserved });
  journal.append({ event: "end", request: killed, connection: "erp", code: "limit.memory" });
  const bounded = "d".repeat(32);
  journal.append({ event: "request", request: bounded, ...reserved });
  journal.append({ event: "end", request: bounded, connection: "erp", code: "executor.crashed", bytesAtMost: 4_000 });
  journal.append({ event: "request", request: orphan, ...reserved, pull: "orders" });
  const past = readPastDay(folder, Date.now());
  assert.equal(past.sentToday.get("erp"), 24_700);
  endOrphans(journal, past.orphans);
  journal.close();
  const last = [...recentLines(folder, 0)].at(-1);
  assert.equal(last?.event, "end");
  assert.equal(last?.request, orphan);
  assert.equal(last?.code, "agent.interrupted");
  const again = readPastDay(folder, Date.now());
  assert.deepEqual([again.orphans, again.sentToday.get("erp")], [[], 24_700]);
});
