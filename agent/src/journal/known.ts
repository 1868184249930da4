/** What the orchestrator knows of this journal: the line that its last answer named, which the next request shows again. */
import { listFiles, readLines } from "./files.ts";
import { hashLine, type JournalHead } from "./line.ts";

export interface KnownHead {
  /** For the next report: that line as it stands in the files now; nothing before the first answer. */
  shown(): { readonly known?: { readonly seq: number; readonly hash: string | null } };
  /** Takes what an answer named. False where the journal has no such line: somebody altered one of the two. */
  answered(head: JournalHead | null | undefined): boolean;
  /** The line that was named last, and when. */
  readonly last: (JournalHead & { readonly at: string }) | null;
}

export function createKnownHead(folder: string, nowMs: () => number): KnownHead {
  let last: KnownHead["last"] = null;
  return {
    get last() {
      return last;
    },
    shown: () => (last === null ? {} : { known: { seq: last.seq, hash: hashAt(folder, last.seq) ?? null } }),
    answered(head) {
      last = head ? { seq: head.seq, hash: head.hash, at: new Date(nowMs()).toISOString() } : null;
      return !head || hashAt(folder, head.seq) === head.hash;
    },
  };
}

/** The hash of line `seq` as it is in the files; undefined where there is none. Reads one file at most. */
function hashAt(folder: string, seq: number): string | undefined {
  try {
    const file = listFiles(folder).findLast(({ firstSeq }) => firstSeq <= seq);
    let number = file?.firstSeq ?? 0;
    for (const bytes of file === undefined ? [] : readLines(file.path)) {
      if (number === seq) return hashLine(bytes);
      number += 1;
    }
  } catch {
    // A folder that cannot be read stops sessions by itself.
  }
  return undefined;
}
