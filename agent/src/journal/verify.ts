/** Checks the journal's chain from its first kept line to its head. */
import { listFiles, readLines } from "./files.ts";
import { decodeLine, hashLine, type JournalHead } from "./line.ts";

export type Verdict =
  | { readonly ok: true; readonly lines: number; readonly firstSeq: number; readonly head: JournalHead | null }
  | { readonly ok: false; readonly file: string; readonly seq: number; readonly why: string };

/**
 * Every line must be of the closed schema, numbered one after the other, and name the hash of the line before it. Where
 * the first line is not number 1, the last `retention` line must say that all before it could go.
 */
export function verifyJournal(folder: string): Verdict {
  let head: JournalHead | null = null;
  let firstSeq = 0;
  let lines = 0;
  let firstKept = 1;
  for (const file of listFiles(folder)) {
    for (const bytes of readLines(file.path)) {
      const seq: number = head === null ? file.firstSeq : head.seq + 1;
      const why = faultOf(bytes, seq, head);
      if (why !== undefined) return { ok: false, file: file.path, seq, why };
      if (head === null) firstSeq = seq;
      firstKept = decodeLine(bytes)?.firstKept ?? firstKept;
      head = { seq, hash: hashLine(bytes) };
      lines += 1;
    }
  }
  if (firstSeq > firstKept) {
    return { ok: false, file: folder, seq: firstKept, why: "is missing, and no retention line says why" };
  }
  return { ok: true, lines, firstSeq, head };
}

function faultOf(bytes: Buffer, seq: number, head: JournalHead | null): string | undefined {
  const line = decodeLine(bytes);
  if (line === undefined) return "not a line of the journal's schema";
  if (line.seq !== seq) return `has number ${line.seq}: a line was removed, repeated or moved`;
  if (head !== null && line.prev !== head.hash) return "does not name the line before it: that line was changed";
  if (head === null && (line.prev === undefined) !== (seq === 1)) return "the first line's chain is missing";
  return undefined;
}
