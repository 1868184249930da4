/** Reading on where one stopped, also over files that were set aside meanwhile. */
import { lastLineEnd, listFiles, readLines } from "./files.ts";

/** A file by the number of its first line, and how many of its bytes were read. */
export interface Place {
  readonly firstSeq: number;
  readonly bytes: number;
}

export const START: Place = { firstSeq: 0, bytes: 0 };

/** Where the whole lines end by now; of the files only the last one's end is read. */
export function endOf(folder: string): Place {
  const last = listFiles(folder).findLast(({ firstAtMs }) => !Number.isNaN(firstAtMs));
  return last === undefined ? START : { firstSeq: last.firstSeq, bytes: lastLineEnd(last.path) };
}

/** The whole lines after `place`, and where they end. A line that is being written is left for the next time. */
export function linesAfter(folder: string, place: Place): { readonly lines: Buffer[]; readonly place: Place } {
  const lines: Buffer[] = [];
  let reached = place;
  for (const { path, firstSeq, bytes } of listFiles(folder)) {
    if (firstSeq < place.firstSeq || bytes === 0) continue;
    let read = firstSeq === place.firstSeq ? place.bytes : 0;
    for (const line of readLines(path, read)) {
      if (line.at(-1) !== 0x0a) break;
      lines.push(Buffer.from(line));
      read += line.byteLength;
    }
    reached = { firstSeq, bytes: read };
  }
  return { lines, place: reached };
}
