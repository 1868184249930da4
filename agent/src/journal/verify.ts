/** Checks the journal's chain from its first kept line to its head. */
import { listFiles, readLines } from "./files.ts";
import { hashLine, type JournalHead } from "./line.ts";
import { decodeLine, type ReadLine } from "./read-line.ts";

export type Verdict =
  | {
      readonly ok: true;
      readonly lines: number;
      readonly firstSeq: number;
      /** When the first and the last line were written; null in an empty journal. */
      readonly from: string | null;
      readonly to: string | null;
      readonly head: JournalHead | null;
      /** Whether the line that somebody else knows was there; `gone` by retention; null where none was given. */
      readonly known: "there" | "gone" | null;
    }
  | { readonly ok: false; readonly file: string; readonly seq: number; readonly why: string };

/**
 * Every line must be a line of a journal, numbered one after the other, and name the hash of the line before it. Where
 * the first line is not number 1, the last `retention` line must say that all before it could go. A chain that was cut at
 * its end, or written anew, is in order by itself.
 * @param known a line that somebody else keeps, as the orchestrator does: it must be there, as it was
 */
export function verifyJournal(folder: string, known?: JournalHead): Verdict {
  const walk = createWalk(known);
  for (const file of listFiles(folder)) {
    for (const bytes of readLines(file.path)) {
      const fault = walk.step(bytes, file.firstSeq);
      if (fault !== undefined) return { ok: false, file: file.path, ...fault };
    }
  }
  return walk.end(folder);
}

interface Fault {
  readonly seq: number;
  readonly why: string;
}

function createWalk(known: JournalHead | undefined) {
  let head: JournalHead | null = null;
  let first: ReadLine | undefined;
  let last: ReadLine | undefined;
  let lines = 0;
  let firstKept = 1;
  let found = false;

  const step = (bytes: Buffer, fileSeq: number): Fault | undefined => {
    const seq: number = head === null ? fileSeq : head.seq + 1;
    const line = decodeLine(bytes);
    const why = faultOf(line, seq, head);
    if (why !== undefined) return { seq, why };
    if (head !== null && line?.prev !== head.hash) {
      return { seq: head.seq, why: `is not the line that line ${seq} names: one of the two was changed` };
    }
    head = { seq, hash: hashLine(bytes) };
    if (seq === known?.seq) {
      found = head.hash === known.hash;
      if (!found) return { seq, why: "is not the line that is known of it: it, or one before it, was changed" };
    }
    first ??= line;
    last = line;
    firstKept = line?.firstKept ?? firstKept;
    lines += 1;
    return undefined;
  };

  const end = (folder: string): Verdict => {
    const [firstSeq, lastSeq] = [first?.seq ?? 0, head?.seq ?? 0];
    if (firstSeq > firstKept) {
      return { ok: false, file: folder, seq: firstKept, why: "is missing, and no retention line says why" };
    }
    if (known !== undefined && known.seq > lastSeq) {
      const why = `is missing, with all up to ${known.seq}: the end was cut off`;
      return { ok: false, file: folder, seq: lastSeq + 1, why };
    }
    const of = known === undefined ? null : found ? "there" : "gone";
    return { ok: true, lines, firstSeq, from: first?.at ?? null, to: last?.at ?? null, head, known: of };
  };
  return { step, end };
}

function faultOf(line: ReadLine | undefined, seq: number, head: JournalHead | null): string | undefined {
  if (line === undefined) return "is not a line of a journal";
  if (line.seq !== seq) return `has number ${line.seq}: a line was removed, repeated or moved`;
  if (head === null && (line.prev === undefined) !== (seq === 1)) return "is the first one, and its chain is missing";
  return undefined;
}
