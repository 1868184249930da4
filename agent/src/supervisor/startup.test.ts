import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { openJournal, recentLines } from "../journal/journal.ts";
import { rowsKey } from "./daily-rows.ts";
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

test("what rules wrote today is counted from the journal, passwords and deletions of a directory each for itself", () => {
  const journal = openJournal(folder, limits);
  let requests = 0;
  const write = (facts: object, end?: object): void => {
    const request = (++requests).toString(16).padStart(32, "0");
    const of = { request, connection: "corp" };
    journal.append({ event: "request", ...of, decision: "allow", op: "ad.write", rule: "leavers", ...facts });
    if (end !== undefined) journal.append({ event: "end", ...of, ...end });
  };
  write({ action: "delete", rowsReserved: 1 }, { rowsIn: 1 });
  write({ action: "delete", rowsReserved: 1 }, { rowsIn: 0, code: "directory.not_found" });
  write({ action: "delete", rowsReserved: 1 }, { code: "executor.crashed" });
  write({ action: "add", rowsReserved: 1 }, { rowsIn: 1 });
  write({ action: "setPassword", rowsReserved: 1 });
  write({ action: "modify" }, { rowsIn: 1 });
  write({ op: "sql.write", action: "delete", rowsReserved: 50 }, { rowsIn: 20 });
  journal.close();
  assert.deepEqual(
    readPastDay(folder, Date.now()).writtenToday,
    new Map([
      [rowsKey("corp", "leavers", "deletesPerRun"), 2],
      [rowsKey("corp", "leavers"), 20],
      [rowsKey("corp", "leavers", "passwordSetsPerDay"), 2],
    ]),
  );
});
