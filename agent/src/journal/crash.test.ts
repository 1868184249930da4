/** A process that dies while it appends, and a disk that keeps only part of the last line. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { openJournal } from "./journal.ts";
import { verifyJournal } from "./verify.ts";

const limits = { maxBytes: 1 << 20, maxDays: 400 };
let folder: string;
let current: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sallyport-crash-"));
  current = join(folder, "journal.jsonl");
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const APPEND_FOR_EVER = `
import { openJournal } from ${JSON.stringify(new URL("./journal.ts", import.meta.url).href)};
const journal = openJournal(process.argv[1], { maxBytes: 1 << 20, maxDays: 400, fileBytes: 2000 });
for (let count = 1; ; count += 1) {
  const { seq } = journal.append({ event: "token" });
  process.stdout.write(seq + "\\n");
  if (count % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
}
`;

test("killed again and again while it appends: the chain goes on, and no line that was acted on is missing", async () => {
  let lines = 0;
  for (let life = 0; life < 4; life += 1) {
    const child = spawn(
      process.execPath,
      ["--disable-warning=ExperimentalWarning", "--input-type=module", "--eval", APPEND_FOR_EVER, folder],
      { stdio: ["ignore", "pipe", "inherit"] },
    );
    let said = "";
    child.stdout.on("data", (piece: Buffer) => {
      said += piece;
      if (said.split("\n").length > 120) child.kill("SIGKILL");
    });
    await once(child, "close");
    const known = Number(said.split("\n").at(-2));
    const journal = openJournal(folder, limits);
    const { seq } = journal.append({ event: "start" });
    journal.close();
    assert.ok(seq > known, `line ${known} was written before line ${seq}`);
    const verdict = verifyJournal(folder);
    assert.equal(verdict.ok, true, JSON.stringify(verdict));
    lines = verdict.ok ? verdict.lines : 0;
    assert.equal(lines, seq);
  }
  assert.ok(lines > 400);
});

test("a last line of which any number of bytes is left is cut, and written anew under its number", () => {
  const first = openJournal(folder, limits);
  first.append({ event: "start" });
  first.append({ event: "token" });
  first.close();
  const whole = readFileSync(current);
  const kept = whole.indexOf(0x0a) + 1;
  for (let bytes = kept; bytes < whole.byteLength; bytes += 1) {
    writeFileSync(current, whole);
    truncateSync(current, bytes);
    const journal = openJournal(folder, limits);
    assert.equal(journal.append({ event: "stop" }).seq, 2);
    journal.close();
    assert.equal(verifyJournal(folder).ok, true);
  }
});

test("zeros that a power cut left in place of the last line are cut", () => {
  const first = openJournal(folder, limits);
  first.append({ event: "start" });
  first.close();
  writeFileSync(current, Buffer.alloc(300), { flag: "a" });
  const journal = openJournal(folder, limits);
  journal.append({ event: "stop" });
  journal.close();
  assert.equal(verifyJournal(folder).ok, true);
});

test("a whole last line that is none of ours is not cut: agent.journal_unwritable, and the file is named", () => {
  writeFileSync(current, '{"seq":1,"event":"start"}\n');
  assert.throws(() => openJournal(folder, limits), { code: "agent.journal_unwritable", message: /journal\.jsonl/ });
});
