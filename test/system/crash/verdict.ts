/** What is held against a lane at its end: every row where it belongs, once, and nothing left open. */
import assert from "node:assert/strict";
import { type Count, count, type Delivered, type Ended } from "./count.ts";
import { gather } from "./evidence.ts";
import type { Lane } from "./lane.ts";
import type { Version } from "./orders.ts";

export interface Verdict extends Count {
  readonly book: readonly Version[];
  readonly ended: readonly Ended[];
  readonly delivered: readonly Delivered[];
  /** Of the manifests. */
  readonly numbers: readonly number[];
  readonly faults: readonly string[];
  readonly states: Readonly<Record<string, number>>;
  /** Keys whose latest version the manifests, folded by key, do not give. */
  readonly stale: readonly number[];
}

/** To be asked when nothing changes any more and one more run has ended. */
export async function judge(lane: Lane): Promise<Verdict> {
  const { storage, store, key, folder } = lane;
  const { delivered, ended, states, faults, manifests } = await gather({ storage, store, key, folder });
  const book = lane.orders.book();
  const newest = new Map<number, string>();
  for (const { key: row, version } of delivered) {
    if (version > (newest.get(row) ?? "")) newest.set(row, version);
  }
  const latest = new Map(book.map(({ key: row, version }) => [row, version]));
  const stale = [...latest].filter(([row, version]) => newest.get(row) !== version).map(([row]) => row);
  const numbers = manifests.map(({ seq }) => seq);
  return { ...count(book, ended, delivered), book, ended, delivered, numbers, faults, states, stale };
}

/** @throws AssertionError with the first of whatever is wrong */
export function assertClean(verdict: Verdict): void {
  const { lost, repeated, strange, gaps, faults, stale } = verdict;
  const found = { lost, repeated, strange, gaps, faults, stale };
  const first = Object.fromEntries(Object.entries(found).map(([what, list]) => [what, list.slice(0, 5)]));
  assert.deepEqual(first, { lost: [], repeated: [], strange: [], gaps: [], faults: [], stale: [] });
}
