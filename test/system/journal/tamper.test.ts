/** Any history of a journal, written by the product itself, and every way to alter it. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { openJournal } from "@sallyport/agent/src/journal/journal.ts";
import type { JournalFacts, JournalHead } from "@sallyport/agent/src/journal/line.ts";
import { verifyJournal } from "@sallyport/agent/src/journal/verify.ts";
import fc from "fast-check";
import { byteChanges, type Journal, linesOf, structuralChanges, unnoticed } from "./tamper.ts";

const folder = mkdtempSync(join(tmpdir(), "sallyport-tamper-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const id = fc.stringMatching(/^[0-9a-f]{32}$/);
const count = fc.nat(10_000_000);
const facts: fc.Arbitrary<JournalFacts> = fc.oneof(
  fc.constantFrom<JournalFacts>({ event: "token" }, { event: "drain" }, { event: "lock", decision: "deny" }),
  fc.record({ event: fc.constant("start" as const), version: fc.constantFrom("0.1.0", "1.0.0-rc.1") }),
  fc.record(
    {
      event: fc.constant("request" as const),
      request: id,
      connection: fc.constantFrom("erp", "crm"),
      op: fc.constantFrom("sql.table" as const, "sql.query" as const),
      object: fc.constantFrom("dbo.Orders", "sales.Å"),
      decision: fc.constantFrom("allow" as const, "deny" as const),
    },
    { requiredKeys: ["event", "request", "decision"] },
  ),
  fc.record(
    {
      event: fc.constant("end" as const),
      request: id,
      code: fc.constantFrom("sql.timeout" as const, "executor.crashed" as const),
      rowsOut: count,
      bytesOut: count,
      durationMs: count,
      source: fc.constantFrom("18456/8", "1205"),
    },
    { requiredKeys: ["event", "request", "durationMs"] },
  ),
);
/** What happens to a journal: lines, restarts, and days after which old files may go. */
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant("append" as const), facts }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("restart" as const) }) },
);

function live(steps: readonly { do: "append" | "restart"; facts?: JournalFacts }[], into: string): JournalHead | null {
  const open = () => openJournal(into, { maxBytes: 6000, maxDays: 400, fileBytes: 1200 });
  let journal = open();
  for (const each of steps) {
    if (each.do === "append") journal.append(each.facts!);
    else {
      journal.close();
      journal = open();
    }
  }
  journal.close();
  return journal.head();
}

const read = (from: string): Journal =>
  new Map(
    readdirSync(from)
      .sort()
      .map((name) => [name, readFileSync(join(from, name))]),
  );

test("whatever a journal went through it verifies, and every altered byte, line or file is noticed", () => {
  let histories = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 24 }), fc.integer({ min: 1, max: 255 }), (steps, mask) => {
      const kept = mkdtempSync(join(folder, "kept-"));
      const head = live(steps, kept);
      const verdict = verifyJournal(kept);
      assert.equal(verdict.ok, true, JSON.stringify(verdict));
      assert.deepEqual(verdict.ok && verdict.head, head);
      if (head === null) return;
      const journal = read(kept);
      histories += 1;
      const copy = join(folder, "copy");
      assert.deepEqual(unnoticed(structuralChanges(journal), head, copy), []);
      // All bytes of every history would take minutes: here each seventh of the newest file, below all of a short one.
      const few = new Map([...journal].slice(-1).map(([name, bytes]) => [name, bytes] as const));
      const rest = [...journal].slice(0, -1);
      const changes = [...byteChanges(few, mask)].filter((_, index) => index % 7 === steps.length % 7);
      const whole = changes.map(({ what, journal: changed }) => ({ what, journal: new Map([...rest, ...changed]) }));
      assert.deepEqual(unnoticed(whole, head, copy), []);
    }),
    { numRuns: 12 },
  );
  assert.ok(histories > 5);
});

test("every byte of a whole history, changed by every bit", () => {
  const kept = mkdtempSync(join(folder, "kept-"));
  const request = "0123456789abcdef0123456789abcdef";
  const head = live(
    [
      { do: "append", facts: { event: "start", version: "1.0.0" } },
      { do: "append", facts: { event: "request", request, connection: "erp", object: "sales.Å", decision: "allow" } },
      { do: "restart" },
      { do: "append", facts: { event: "end", request, rowsOut: 12, durationMs: 5 } },
    ],
    kept,
  );
  const journal = read(kept);
  for (let bit = 0; bit < 8; bit += 1)
    assert.deepEqual(unnoticed(byteChanges(journal, 1 << bit), head!, join(folder, "copy")), []);
});

test("counter-example: an unaltered journal is unnoticed, and without the known head so is a cut last line", () => {
  const kept = mkdtempSync(join(folder, "kept-"));
  const head = live(
    [
      { do: "append", facts: { event: "token" } },
      { do: "append", facts: { event: "drain" } },
    ],
    kept,
  )!;
  const journal = read(kept);
  const copy = join(folder, "copy");
  assert.deepEqual(unnoticed([{ what: "nothing", journal }], head, copy), ["nothing"]);
  const [[name, bytes]] = [...journal] as [[string, Buffer]];
  const cut = { what: "cut", journal: new Map([[name, linesOf(bytes)[0]!]]) };
  assert.deepEqual(unnoticed([cut], head, copy), []);
  assert.equal(verifyJournal(copy).ok, true);
});
