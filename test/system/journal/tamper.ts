/** Alters a journal in every way that a chain must notice, and tells which changes were not. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { JournalHead } from "@sallyport/agent/src/journal/line.ts";
import { verifyJournal } from "@sallyport/agent/src/journal/verify.ts";

/** A journal's files by name, oldest first. */
export type Journal = ReadonlyMap<string, Buffer>;

export interface Tampering {
  readonly what: string;
  readonly journal: Journal;
}

const LF = 0x0a;

export function linesOf(bytes: Buffer): Buffer[] {
  const lines: Buffer[] = [];
  for (let start = 0; start < bytes.byteLength; ) {
    const end = bytes.indexOf(LF, start) + 1 || bytes.byteLength;
    lines.push(bytes.subarray(start, end));
    start = end;
  }
  return lines;
}

/** Every line removed, repeated, or swapped with the next one, and every file removed. */
export function* structuralChanges(journal: Journal): Generator<Tampering> {
  for (const [name, bytes] of journal) {
    const lines = linesOf(bytes);
    const changed = (what: string, next: readonly Buffer[]): Tampering => ({
      what: `${name}: ${what}`,
      journal: new Map([...journal, [name, Buffer.concat(next)]]),
    });
    for (const [index, line] of lines.entries()) {
      yield changed(`line ${index + 1} removed`, lines.toSpliced(index, 1));
      yield changed(`line ${index + 1} repeated`, lines.toSpliced(index, 0, line));
      const next = lines[index + 1];
      if (next !== undefined) yield changed(`line ${index + 1} swapped`, lines.with(index, next).with(index + 1, line));
    }
    yield { what: `${name} removed`, journal: new Map([...journal].filter(([each]) => each !== name)) };
  }
}

/** Every single byte changed, by flipping the bits of `mask`. */
export function* byteChanges(journal: Journal, mask: number): Generator<Tampering> {
  for (const [name, bytes] of journal) {
    for (let at = 0; at < bytes.byteLength; at += 1) {
      const changed = Buffer.from(bytes);
      changed[at] = bytes[at]! ^ mask;
      yield { what: `${name}: byte ${at} xor ${mask}`, journal: new Map([...journal, [name, changed]]) };
    }
  }
}

/**
 * The changes that neither the chain shows nor the head, which the orchestrator was told with the last token: no chain
 * can tell a last line that was changed or cut off, so somebody else has to know it.
 */
export function unnoticed(changes: Iterable<Tampering>, head: JournalHead, folder: string): string[] {
  const missed: string[] = [];
  for (const { what, journal } of changes) {
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder);
    for (const [name, bytes] of journal) writeFileSync(join(folder, name), bytes);
    const verdict = verifyJournal(folder);
    if (verdict.ok && verdict.head?.hash === head.hash && verdict.head.seq === head.seq) missed.push(what);
  }
  return missed;
}
