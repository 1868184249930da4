import assert from "node:assert/strict";
import { test } from "node:test";
import type { JournalLine } from "./line.ts";
import { todayOf } from "./today.ts";

const NOW = Date.parse("2026-11-22T12:00:00.000Z");
const line = (facts: Partial<JournalLine>): JournalLine =>
  ({ seq: 1, at: "2026-11-22T09:00:00.000Z", event: "request", ...facts }) as JournalLine;

test("sessions and bytes by connection, denials, and nothing of yesterday", () => {
  const lines = [
    line({ at: "2026-11-21T23:59:59.999Z", connection: "erp", decision: "allow" }),
    line({ event: "end", at: "2026-11-22T00:00:00.000Z", connection: "erp", bytesOut: 5 }),
    line({ connection: "erp", decision: "allow" }),
    line({ event: "end", connection: "erp", bytesOut: 1000 }),
    line({ connection: "corp", decision: "allow" }),
    line({ event: "end", connection: "corp", bytesAtMost: 70, code: "executor.crashed" }),
    line({ connection: "erp", decision: "deny", code: "policy.denied" }),
    line({ event: "token" }),
    line({ decision: "deny", code: "policy.denied" }),
  ];
  assert.deepEqual(todayOf(lines, NOW), {
    connections: { erp: { sessions: 1, bytes: 1005 }, corp: { sessions: 1, bytes: 70 } },
    denied: 2,
  });
});
