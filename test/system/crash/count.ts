/**
 * The counter: what the manifests of a pull hold, against what the table held (SQL.md's guarantee of mode rowversion). Pure.
 * A version must have been delivered when it was its row's version at the upper bound of a run that ended before it was
 * replaced; one that was replaced meanwhile may be missing, because the run then met a version above its bound.
 */
import type { Version } from "./orders.ts";

/** A run that has ended well. Watermarks are rowversions as 16 hex digits. */
export interface Ended {
  readonly run: string;
  readonly from: string | null;
  readonly to: string;
  readonly endedAtMs: number;
}

/** A row in a part that a manifest names. */
export interface Delivered {
  readonly run: string;
  readonly key: number;
  readonly version: string;
}

export interface Count {
  readonly rows: number;
  /** Each with the run that should have brought it. */
  readonly lost: readonly Delivered[];
  /** Each time but the first. */
  readonly repeated: readonly Delivered[];
  /** Rows that the table never held, or that lie outside the bounds of their run. */
  readonly strange: readonly Delivered[];
  /** Places where a run does not begin at the watermark of the one before. */
  readonly gaps: readonly string[];
}

/** @param book oldest first @param ended in the order in which they ended */
export function count(book: readonly Version[], ended: readonly Ended[], delivered: readonly Delivered[]): Count {
  const bounds = new Map(ended.map((run) => [run.run, run]));
  const known = new Set(book.map(idOf));
  const found = new Set<string>();
  const repeated: Delivered[] = [];
  const strange: Delivered[] = [];
  for (const row of delivered) {
    const id = idOf(row);
    if (found.has(id)) repeated.push(row);
    found.add(id);
    const run = bounds.get(row.run);
    const inside = run !== undefined && row.version <= run.to && (run.from === null || row.version > run.from);
    if (!known.has(id) || !inside) strange.push(row);
  }
  const lost = due(book, ended).filter((row) => !found.has(idOf(row)));
  return { rows: delivered.length, lost, repeated, strange, gaps: gapsOf(ended) };
}

const idOf = ({ key, version }: { readonly key: number; readonly version: string }) => `${key} ${version}`;

/** The versions that had to be delivered, each with its run: the first one whose bound reaches it. */
function due(book: readonly Version[], ended: readonly Ended[]): Delivered[] {
  const successors = new Map<Version, string>();
  const newest = new Map<number, Version>();
  for (const entry of book) {
    const before = newest.get(entry.key);
    if (before) successors.set(before, entry.version);
    newest.set(entry.key, entry);
  }
  let next = 0;
  return book.flatMap((entry) => {
    while (next < ended.length && ended[next]!.to < entry.version) next += 1;
    const run = ended[next];
    const successor = successors.get(entry);
    if (run === undefined || (successor !== undefined && successor <= run.to)) return [];
    const replacedMeanwhile = entry.replacedAtMs !== undefined && entry.replacedAtMs <= run.endedAtMs;
    return replacedMeanwhile ? [] : [{ run: run.run, key: entry.key, version: entry.version }];
  });
}

function gapsOf(ended: readonly Ended[]): string[] {
  return ended.flatMap(({ run, from }, index) => {
    const before = index === 0 ? null : ended[index - 1]!.to;
    return from === before ? [] : [`run ${run} begins at ${from}, the one before it ended at ${before}`];
  });
}

/** Numbers of manifests that are missing, from 1 up to `last`. */
export function missingNumbers(found: readonly number[], last: number): number[] {
  const there = new Set(found);
  return Array.from({ length: last }, (_, index) => index + 1).filter((seq) => !there.has(seq));
}
