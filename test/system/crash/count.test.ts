import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { count, type Delivered, type Ended, missingNumbers } from "./count.ts";
import type { Version } from "./orders.ts";

const hex = (version: number): string => version.toString(16).padStart(16, "0");
const version = (key: number, at: number, replacedAtMs?: number): Version => ({
  key,
  version: hex(at),
  ...(replacedAtMs === undefined ? {} : { replacedAtMs }),
});
const ended = (run: string, from: number | null, to: number, endedAtMs: number): Ended => ({
  run,
  from: from === null ? null : hex(from),
  to: hex(to),
  endedAtMs,
});
const row = (run: string, key: number, at: number): Delivered => ({ run, key, version: hex(at) });

/** Key 1 changes between the runs, key 2 never, key 3 comes late; the second run ends at 200 ms. */
const BOOK = [version(1, 10, 150), version(2, 11), version(1, 20), version(3, 21)];
const RUNS = [ended("a", null, 15, 100), ended("b", 15, 25, 200)];
const ALL = [row("a", 1, 10), row("a", 2, 11), row("b", 1, 20), row("b", 3, 21)];

const clean = { lost: [], repeated: [], strange: [], gaps: [] };

describe("the counter", () => {
  it("finds nothing where every version came once", () => {
    assert.deepEqual(count(BOOK, RUNS, ALL), { rows: 4, ...clean });
  });
  for (const [index, missing] of ALL.entries()) {
    it(`finds the lost row ${missing.key} of run ${missing.run}`, () => {
      assert.deepEqual(count(BOOK, RUNS, ALL.toSpliced(index, 1)), { rows: 3, ...clean, lost: [missing] });
    });
    it(`finds row ${missing.key} of run ${missing.run} where it comes twice`, () => {
      assert.deepEqual(count(BOOK, RUNS, [...ALL, missing]), { rows: 5, ...clean, repeated: [missing] });
    });
  }
  it("a row that another run repeats is repeated, and outside of that run's bounds", () => {
    const again = row("b", 2, 11);
    assert.deepEqual(count(BOOK, RUNS, [...ALL, again]), { rows: 5, ...clean, repeated: [again], strange: [again] });
  });
  it("lets a version be missing that was replaced before its run ended, and no other", () => {
    const [, ...rest] = ALL;
    const replaced = (atMs: number) => [version(1, 10, atMs), ...BOOK.slice(1)];
    assert.deepEqual(count(replaced(100), RUNS, rest).lost, []);
    assert.deepEqual(count(replaced(101), RUNS, rest).lost, [ALL[0]]);
  });
  it("asks for no version that was replaced below the bound already, and none above all bounds", () => {
    const book = [version(1, 10, 50), version(1, 12), version(2, 30)];
    assert.deepEqual(count(book, [ended("a", null, 15, 100)], [row("a", 1, 12)]), { rows: 1, ...clean });
  });
  it("asks a run that found nothing for its rows too", () => {
    const lost = [row("b", 1, 20), row("b", 3, 21)];
    assert.deepEqual(count(BOOK, RUNS, ALL.slice(0, 2)).lost, lost);
  });
  it("finds rows that the table never held, and rows of runs that did not end well", () => {
    const strange = [row("b", 4, 22), row("c", 3, 21)];
    assert.deepEqual(count(BOOK, RUNS, [...ALL.slice(0, 3), ...strange]).strange, strange);
  });
  it("finds a gap between two runs", () => {
    assert.equal(count(BOOK, [ended("a", null, 15, 100), ended("b", 16, 25, 200)], ALL).gaps.length, 1);
    assert.equal(count(BOOK, RUNS.slice(1), ALL.slice(2)).gaps.length, 1);
  });
  it("finds missing numbers of manifests, the last one too", () => {
    assert.deepEqual(missingNumbers([1, 2, 3], 3), []);
    assert.deepEqual(missingNumbers([1, 3], 4), [2, 4]);
  });
});
