/** How long lines are kept, and when a journal refuses to be written. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { type JournalOptions, openJournal, recentLines } from "./journal.ts";
import type { ReadLine } from "./read-line.ts";
import { verifyJournal } from "./verify.ts";

const DAY_MS = 86_400_000;
let folder: string;
let nowMs: number;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sallyport-kept-"));
  nowMs = Date.UTC(2026, 0, 1);
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const open = (options: Partial<JournalOptions> = {}) =>
  openJournal(folder, { maxBytes: 2 ** 30, maxDays: 400, nowMs: () => nowMs, ...options });
const lines = (): ReadLine[] => [...recentLines(folder, 0)];

test("a line a day for three years: at most 430 days are kept, by the lines' own time, and what is left verifies", () => {
  const journal = open();
  for (let day = 0; day < 1096; day += 1) {
    journal.append({ event: "token" });
    nowMs += DAY_MS;
    if (day % 100 === 0) assert.equal(verifyJournal(folder).ok, true);
  }
  journal.close();
  const [oldest] = lines();
  const days = Math.round((nowMs - Date.parse(oldest?.at ?? "")) / DAY_MS);
  assert.ok(days > 400 && days <= 432, `${days} days`);
  const retentions = lines().filter(({ event }) => event === "retention");
  assert.equal(retentions.at(-1)?.firstKept, oldest?.seq);
  const verdict = verifyJournal(folder);
  assert.deepEqual([verdict.ok, verdict.ok && verdict.firstSeq], [true, oldest?.seq]);
});

test("an agent that was off for two years forgets what is too old, a file a day, and a clock that jumps ahead no more than one", () => {
  let journal = open();
  for (let day = 0; day < 90; day += 1) {
    journal.append({ event: "token" });
    nowMs += DAY_MS;
  }
  journal.close();
  const files = readdirSync(folder).length;
  nowMs += 730 * DAY_MS;
  for (const kept of [files, files, files - 1, files - 1]) {
    for (let starts = 0; starts < 3; starts += 1) {
      journal = open();
      journal.append({ event: "start" });
      journal.append({ event: "stop" });
      journal.close();
    }
    assert.equal(readdirSync(folder).length, kept, `${kept} of ${files}`);
    assert.equal(verifyJournal(folder).ok, true);
    nowMs += kept === files ? DAY_MS / 2 : DAY_MS / 4;
  }
});

test("a new file begins after a month of the clock, also across restarts", () => {
  for (let day = 0; day < 90; day += 1) {
    const journal = open();
    journal.append({ event: "start" });
    journal.close();
    nowMs += DAY_MS;
  }
  assert.deepEqual(readdirSync(folder).sort(), ["0000000001.jsonl", "0000000031.jsonl", "journal.jsonl"]);
  assert.equal(verifyJournal(folder).ok, true);
});

test("less than 50 MB free: not writable and no request, but every other line; with room again the chain goes on", () => {
  let free = 50 * 2 ** 20;
  const journal = open({ freeBytes: () => free });
  journal.append({ event: "start" });
  free -= 1;
  assert.equal(journal.writable(), false);
  assert.throws(() => journal.append({ event: "request" }), { code: "agent.journal_unwritable" });
  journal.append({ event: "end" });
  assert.equal(journal.writable(), false);
  free += 1;
  assert.equal(journal.writable(), true);
  journal.append({ event: "stop" });
  journal.close();
  assert.deepEqual(
    lines().map(({ seq, event }) => [seq, event]),
    [
      [1, "start"],
      [2, "end"],
      [3, "stop"],
    ],
  );
});

test("whoever wants copies is told of each line once it is on the disk, and of none that was refused", () => {
  const told: number[] = [];
  const journal = open({
    written: (line, bytes) => {
      assert.equal(lines().at(-1)?.seq, line.seq);
      assert.equal(bytes.at(-1), 0x0a);
      told.push(line.seq);
    },
  });
  journal.append({ event: "start" });
  assert.throws(() => journal.append({ event: "request", caller: "Jane Doe" }));
  journal.append({ event: "stop" });
  journal.close();
  assert.deepEqual(told, [1, 2]);
});
