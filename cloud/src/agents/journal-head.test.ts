import assert from "node:assert/strict";
import { test } from "node:test";
import { sha256, toBase64url, utf8 } from "@sallyport/shared/crypto/bytes.ts";
import fc from "fast-check";
import { compareHeads } from "./journal-head.ts";

/** A line's hash depends on all before it. */
const hash = (text: string) => toBase64url(sha256(utf8(text)));
const head = (seq: number, chain = "own") => ({ seq, hash: hash(`${chain} ${seq}`) });
const known = head(7);

for (const [what, report, altered, keep] of [
  ["the same head", { journal: head(7) }, false, 7],
  ["a further one, with the known line", { journal: head(9), known: head(7) }, false, 9],
  ["a further one, with nothing shown yet", { journal: head(9) }, false, 7],
  ["a further one, with an earlier line", { journal: head(9), known: head(5) }, false, 7],
  ["a shorter one", { journal: head(6) }, true, 6],
  ["a shorter one, with the known line", { journal: head(6), known: head(7) }, true, 6],
  ["another line of the same number", { journal: head(7, "new") }, true, 7],
  ["a further one of another chain", { journal: head(9, "new"), known: head(7, "new") }, true, 9],
  ["a further one without the known line", { journal: head(9), known: { seq: 7, hash: null } }, true, 9],
  ["none", { journal: null }, true, null],
] as const) {
  test(`${what} is ${altered ? "altered" : "as it should be"}`, () => {
    const verdict = compareHeads(known, report);
    assert.deepEqual([verdict.altered, verdict.keep?.seq ?? null], [altered, keep]);
  });
}

test("the first one is believed", () => {
  assert.deepEqual(compareHeads(null, { journal: known }), { altered: false, keep: known });
});

/** An agent and its journal: each line's text, and whether somebody cut it between two reports, however it grew after that. */
test("whatever is cut before the last report, and however much is written after it, is told of by the second report", () => {
  const step = fc.record({ lines: fc.integer({ min: 1, max: 5 }), restart: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 8 }), fc.nat(30), fc.nat(40), (steps, cut, more) => {
      const journal: string[] = [];
      const write = (count: number, chain: string) => {
        for (let each = 0; each < count; each += 1) journal.push(hash(`${journal.at(-1)} ${chain}`));
      };
      let kept: { seq: number; hash: string } | null = null;
      let asked: number | undefined;
      const report = (): boolean => {
        const at = journal.length;
        const shown = asked === undefined ? {} : { known: { seq: asked, hash: journal[asked - 1] ?? null } };
        const verdict = compareHeads(kept, {
          journal: at === 0 ? null : { seq: at, hash: journal[at - 1]! },
          ...shown,
        });
        kept = verdict.keep;
        asked = kept?.seq;
        return verdict.altered;
      };
      for (const { lines, restart } of steps) {
        write(lines, "own");
        if (restart) asked = undefined;
        assert.equal(report(), false);
      }
      // Known for certain is what a report before the last one has shown; the last one may still be waiting for that.
      assert.equal(report(), false);
      const certain = (kept as { seq: number } | null)?.seq ?? 0;
      const length = Math.max(0, certain - 1 - cut);
      journal.length = length;
      write(more + 1, "forged");
      asked = undefined;
      assert.ok(report() || report());
    }),
  );
});
