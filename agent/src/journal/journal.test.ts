import assert from "node:assert/strict";
import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { openJournal, recentLines } from "./journal.ts";
import type { JournalFacts } from "./line.ts";
import { verifyJournal } from "./verify.ts";

const limits = { maxBytes: 1 << 20, maxDays: 400 };
const REQUEST = "0123456789abcdef0123456789abcdef";
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sallyport-journal-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const files = (): string[] => readdirSync(folder).sort();
const firstFile = (): string => join(folder, "journal.jsonl");
const write = (count: number, options: object = {}): void => {
  const journal = openJournal(folder, { ...limits, ...options });
  for (let index = 0; index < count; index += 1) journal.append({ event: "token" });
  journal.close();
};

test("fields stand in their fixed order, empty ones are absent", () => {
  const journal = openJournal(folder, { ...limits, nowMs: () => Date.UTC(2026, 0, 2, 3, 4, 5, 6) });
  journal.append({ event: "start", version: "1.0.0" });
  journal.append({ durationMs: 5, code: "sql.timeout", request: REQUEST, event: "end", rowsOut: 0 });
  journal.close();
  const [first, second] = readFileSync(firstFile(), "utf8").trimEnd().split("\n");
  assert.equal(first, '{"seq":1,"at":"2026-01-02T03:04:05.006Z","event":"start","version":"1.0.0"}');
  const keys = Object.keys(JSON.parse(second!) as object);
  assert.deepEqual(keys, ["seq", "at", "prev", "event", "request", "code", "rowsOut", "durationMs"]);
});

test("the chain holds over files and restarts", () => {
  for (let run = 0; run < 3; run += 1) write(20, { fileBytes: 1000 });
  assert.ok(files().length > 3);
  const verdict = verifyJournal(folder);
  assert.equal(verdict.ok && verdict.lines, 60);
  assert.equal(verdict.ok && verdict.head?.seq, 60);
});

for (const [what, spoil] of [
  ["changed", (lines: string[]) => lines.with(2, lines[2]!.replace("token", "lock"))],
  ["removed", (lines: string[]) => lines.toSpliced(2, 1)],
  ["moved", (lines: string[]) => lines.with(2, lines[3]!).with(3, lines[2]!)],
  ["first and removed", (lines: string[]) => lines.slice(1)],
  ["added", (lines: string[]) => lines.toSpliced(2, 0, lines[1]!)],
  ["of another schema", (lines: string[]) => lines.with(2, lines[2]!.replace('"event"', '"host":"x","event"'))],
  ["cut", (lines: string[]) => lines.with(4, lines[4]!.slice(0, -5))],
] as const) {
  test(`a line that was ${what} breaks the chain`, () => {
    write(6);
    const lines = readFileSync(firstFile(), "utf8").trimEnd().split("\n");
    writeFileSync(firstFile(), `${spoil(lines).join("\n")}\n`);
    assert.equal(verifyJournal(folder).ok, false);
  });
}

test("a last line that a crash tore is cut, and the chain goes on", () => {
  write(3);
  appendFileSync(firstFile(), '{"seq":4,"at":"2026');
  assert.equal(verifyJournal(folder).ok, false);
  write(2);
  const verdict = verifyJournal(folder);
  assert.equal(verdict.ok && verdict.head?.seq, 5);
});

test("what must not stand in a journal is refused, and leaves no trace", () => {
  const journal = openJournal(folder, limits);
  for (const facts of [
    { event: "request", caller: "Jane Doe" },
    { event: "request", object: "SELECT 'x'" },
    { event: "request", host: "sql01" },
    { event: "end", code: "not.ours" },
    { event: "end", source: "Login failed for user sa" },
    { event: "other" },
  ]) {
    assert.throws(() => journal.append(facts as JournalFacts), { code: "agent.journal_unwritable" });
  }
  journal.append({ event: "stop" });
  journal.close();
  assert.equal(readFileSync(firstFile(), "utf8").split("\n").length, 2);
});

test("a journal whose first line cannot be read any more stays one chain, also when that file is full", () => {
  write(3);
  write(5, { fileBytes: 400 });
  const current = readFileSync(firstFile(), "utf8").split("\n");
  const head = JSON.parse(current.at(-2)!) as { seq: number };
  writeFileSync(firstFile(), current.with(0, "?".repeat(current[0]!.length)).join("\n"));
  write(1);
  assert.ok(!files().some((name) => !/^(journal|[0-9]{10})\.jsonl$/.test(name)), files().join());
  write(20, { fileBytes: 400 });
  const seqs = [...recentLines(folder, 0)].map(({ seq }) => seq);
  assert.equal(seqs.at(-1), head.seq + 21);
  const numbers = files().flatMap((name) => /^[0-9]+/.exec(name) ?? []);
  assert.deepEqual(numbers, [...new Set(numbers)]);
  const verdict = verifyJournal(folder);
  assert.match(!verdict.ok ? verdict.why : "", /is not a line of a journal/);
});

test("a closed file that cannot be read costs no line", () => {
  write(10, { fileBytes: 400 });
  const [oldest] = files();
  rmSync(join(folder, oldest!));
  mkdirSync(join(folder, oldest!));
  const before = files().length;
  write(10, { fileBytes: 400 });
  assert.ok(files().length > before);
});

test("a journal that could not be written is not writable until it can be, without a line", () => {
  const journal = openJournal(folder, limits);
  mkdirSync(firstFile());
  assert.equal(journal.writable(), true);
  assert.throws(() => journal.append({ event: "token" }), { code: "agent.journal_unwritable" });
  assert.equal(journal.writable(), false);
  rmdirSync(firstFile());
  assert.equal(journal.writable(), true);
  assert.equal(readFileSync(firstFile(), "utf8"), "");
  assert.equal(journal.append({ event: "token" }).seq, 1);
  journal.close();
  assert.equal(verifyJournal(folder).ok, true);
});

test("a folder that has gone is agent.journal_unwritable, and the journal says so before a session", () => {
  const journal = openJournal(folder, limits);
  rmSync(folder, { recursive: true });
  assert.equal(journal.writable(), false);
  assert.throws(() => journal.append({ event: "token" }), { code: "agent.journal_unwritable" });
  journal.close();
});

test("retention removes whole old files, says so, and what is left verifies", () => {
  write(200, { maxBytes: 4000, fileBytes: 1000 });
  const lines = [...recentLines(folder, 0)];
  assert.ok(lines.length < 60);
  assert.ok(lines.some(({ event }) => event === "retention"));
  const verdict = verifyJournal(folder);
  assert.equal(verdict.ok, true);
  assert.ok(verdict.ok && verdict.firstSeq > 1);
});

test("whoever wants the last lines gets them from as few files as hold them", () => {
  write(200, { maxBytes: 1_000_000, fileBytes: 1000 });
  const all = [...recentLines(folder, 0)].map(({ seq }) => seq);
  assert.ok(files().length > 10);
  for (const last of [1, 7, 50, 1000]) {
    const some = [...recentLines(folder, 0, last)].map(({ seq }) => seq);
    assert.deepEqual(some.slice(-last), all.slice(-last));
    assert.ok(some.length <= last + 2 * Math.ceil(all.length / files().length));
  }
  // What nobody can read says nothing about how many lines there are.
  writeFileSync(join(folder, files().at(-1)!), "torn");
  assert.deepEqual([...recentLines(folder, 0, 5)].map(({ seq }) => seq).slice(-5).length, 5);
});

test("a retention line excuses what it names, and no line after that", () => {
  write(200, { maxBytes: 4000, fileBytes: 1000 });
  const [oldest, next] = files();
  const kept = [...recentLines(folder, 0)].findLast(({ event }) => event === "retention")?.firstKept;
  assert.equal(Number(oldest?.replace(".jsonl", "")), kept);
  rmSync(join(folder, oldest!));
  const verdict = verifyJournal(folder);
  assert.deepEqual(
    [verdict.ok, !verdict.ok && verdict.seq, !verdict.ok && verdict.why],
    [false, kept, "is missing, and no retention line says why"],
  );
  // The newest retention line is still among what is left.
  assert.ok(
    [...recentLines(folder, 0)].some(({ firstKept }) => firstKept === kept),
    next,
  );
});
