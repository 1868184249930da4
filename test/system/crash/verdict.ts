/** What is held against a lane at its end: every row where it belongs, once, and nothing left open. */
import assert from "node:assert/strict";
import { type Count, count } from "./count.ts";
import { gather } from "./evidence.ts";
import type { Lane } from "./lane.ts";

export interface Verdict extends Count {
  readonly runs: number;
  readonly faults: readonly string[];
  readonly states: Readonly<Record<string, number>>;
  /** Keys whose latest version the manifests, folded by key, do not give. */
  readonly stale: readonly number[];
}

/** To be asked when nothing changes any more and one more run has ended. */
export async function judge(lane: Lane): Promise<Verdict> {
  const { storage, store, key, folder } = lane;
  const { delivered, ended, states, faults } = await gather({ storage, store, key, folder });
  const book = lane.orders.book();
  const newest = new Map<number, string>();
  for (const { key: row, version } of delivered) {
    if (version > (newest.get(row) ?? "")) newest.set(row, version);
  }
  const latest = new Map(book.map(({ key: row, version }) => [row, version]));
  const stale = [...latest].filter(([row, version]) => newest.get(row) !== version).map(([row]) => row);
  return { ...count(book, ended, delivered), runs: ended.length, faults, states, stale };
}

/** @throws AssertionError with the first of whatever is wrong */
export function assertClean({ lost, repeated, strange, gaps, faults, stale }: Verdict): void {
  const first = (list: readonly unknown[]) => list.slice(0, 5);
  const found = {
    lost: first(lost),
    repeated: first(repeated),
    strange: first(strange),
    gaps,
    faults,
    stale: first(stale),
  };
  const clean = { lost: [], repeated: [], strange: [], gaps: [], faults: [], stale: [] };
  assert.deepEqual(found, clean);
}
