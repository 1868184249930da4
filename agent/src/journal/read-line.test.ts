/** Lines that a newer version of the agent wrote, before an update was taken back. */
import assert from "node:assert/strict";
import { appendFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { openJournal, recentLines } from "./journal.ts";
import { hashLine, inFieldOrder } from "./line.ts";
import { decodeLine } from "./read-line.ts";
import { verifyJournal } from "./verify.ts";

const limits = { maxBytes: 1 << 20, maxDays: 400 };
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sallyport-read-line-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const file = (): string => join(folder, "journal.jsonl");
const AT = "2027-01-02T03:04:05.006Z";
const bytesOf = (line: object): Buffer => Buffer.from(`${JSON.stringify(line)}\n`);

test("the last line has an event, a field and a code that this version does not know: the chain goes on and verifies", () => {
  const journal = openJournal(folder, limits);
  journal.append({ event: "start" });
  journal.close();
  const prev = hashLine(readFileSync(file()));
  const newer = {
    seq: 2,
    at: AT,
    prev,
    event: "attest",
    code: "attest.stale",
    measured: { boot: ["a"] },
    version: "2.0.0",
  };
  appendFileSync(file(), bytesOf(newer));
  const back = openJournal(folder, limits);
  assert.deepEqual(back.append({ event: "start" }).prev, hashLine(bytesOf(newer)));
  back.close();
  const verdict = verifyJournal(folder);
  assert.deepEqual([verdict.ok, verdict.ok && verdict.lines], [true, 3]);
  const [, read] = [...recentLines(folder, 0)];
  assert.equal(read?.code, undefined);
  assert.deepEqual(inFieldOrder(read!), {
    ...{ seq: 2, at: AT, prev, event: "attest", version: "2.0.0", measured: { boot: ["a"] } },
  });
});

for (const [what, line] of Object.entries({
  "has no number": { at: AT, event: "start" },
  "has no time": { seq: 1, event: "start" },
  "names no hash before it": { seq: 2, at: AT, prev: "abc", event: "start" },
  "has no event": { seq: 1, at: AT },
  "has a sentence for an event": { seq: 1, at: AT, event: "started again" },
})) {
  test(`what ${what} is no line`, () => assert.equal(decodeLine(bytesOf(line)), undefined));
}
