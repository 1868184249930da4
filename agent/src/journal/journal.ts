/**
 * The journal: append-only, hash-chained, synced to the disk before anyone acts on a line. Written by the supervisor
 * alone, one line at a time.
 */
import {
  closeSync,
  constants,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  openSync,
  rmSync,
  statfsSync,
  writeSync,
} from "node:fs";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { syncFolder } from "../state.ts";
import { currentPath, cutTornLine, listFiles, readLines, setAside } from "./files.ts";
import { decodeLine, encodeLine, hashLine, type JournalFacts, type JournalHead, type JournalLine } from "./line.ts";

const MIN_FREE_BYTES = 50 * 1024 * 1024;
const DAY_MS = 86_400_000;

export interface Journal {
  /** Writes one line and syncs it. @throws agent.journal_unwritable; then nothing of the line is in the chain. */
  append(facts: JournalFacts): JournalLine;
  /** Whether a session may begin: the disk has its 50 MB and no failed line is in the way. */
  writable(): boolean;
  head(): JournalHead | null;
  close(): void;
}

export interface JournalOptions {
  /** Total bytes and age in days that are kept; what is older goes by whole files, and a `retention` line says so. */
  readonly maxBytes: number;
  readonly maxDays: number;
  /** Bytes after which a new file begins. */
  readonly fileBytes?: number;
  readonly nowMs?: () => number;
}

/** Opens the journal at its head. @throws agent.journal_unwritable when the folder or its last line cannot be used. */
export function openJournal(folder: string, options: JournalOptions): Journal {
  const fileBytes = options.fileBytes ?? Math.min(16 * 2 ** 20, Math.ceil(options.maxBytes / 8));
  const nowMs = options.nowMs ?? Date.now;
  let head = unwritableUnless("The journal cannot be opened", () => readHead(folder));
  let file: number | undefined;
  let written = 0;
  let firstSeq = 1;
  let broken = false;

  const openFile = (): number => {
    const path = currentPath(folder);
    const opened = openSync(path, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT, 0o600);
    written = fstatSync(opened).size;
    firstSeq = written === 0 ? (head?.seq ?? 0) + 1 : (listFiles(folder).at(-1)?.firstSeq ?? 1);
    syncFolder(folder);
    return opened;
  };

  const write = (facts: JournalFacts): JournalLine => {
    const line: JournalLine = {
      seq: (head?.seq ?? 0) + 1,
      at: new Date(nowMs()).toISOString(),
      ...(head === null ? {} : { prev: head.hash }),
      ...facts,
    };
    const bytes = encodeLine(line);
    file ??= openFile();
    writeAll(file, bytes);
    fdatasyncSync(file);
    written += bytes.byteLength;
    head = { seq: line.seq, hash: hashLine(bytes) };
    if (written >= fileBytes) {
      closeSync(file);
      file = undefined;
      setAside(folder, firstSeq);
    }
    return line;
  };

  const retain = (): void => {
    const files = listFiles(folder);
    let total = files.reduce((sum, each) => sum + each.bytes, 0);
    let surplus = 0;
    for (const each of files.slice(0, -1)) {
      const old = nowMs() - each.modifiedMs > options.maxDays * DAY_MS;
      if (!old && total <= options.maxBytes) break;
      total -= each.bytes;
      surplus += 1;
    }
    const firstKept = files[surplus]?.firstSeq;
    if (surplus === 0 || firstKept === undefined) return;
    // Said before it is done: whatever is missing later without such a line was not removed by us.
    write({ event: "retention", firstKept });
    for (const each of files.slice(0, surplus)) rmSync(each.path);
  };

  // A line that was written, whole or in part, but not synced must not stand before the next one.
  const takeBack = (): void => {
    if (file === undefined) return;
    try {
      ftruncateSync(file, written);
    } catch {
      broken = true;
    }
    closeSync(file);
    file = undefined;
  };

  const append = (facts: JournalFacts): JournalLine => {
    const newFile = file === undefined;
    try {
      if (broken) throw new Error("a failed line could not be taken back; a restart reads the journal anew");
      if (!hasSpace(folder)) throw new Error("less than 50 MB free");
      const line = write(facts);
      if (newFile) retain();
      return line;
    } catch (error) {
      takeBack();
      throw new SallyportError("agent.journal_unwritable", "The journal line could not be written.", {}, error);
    }
  };

  return {
    append,
    writable: () => !broken && hasSpace(folder),
    head: () => head,
    close() {
      if (file !== undefined) closeSync(file);
      file = undefined;
    },
  };
}

/** The lines of files touched since `sinceMs`, oldest first: what open sessions and daily budgets are found from. */
export function* recentLines(folder: string, sinceMs: number): Generator<JournalLine> {
  for (const file of listFiles(folder)) {
    if (file.modifiedMs < sinceMs) continue;
    for (const bytes of readLines(file.path)) {
      const line = decodeLine(bytes);
      if (line !== undefined) yield line;
    }
  }
}

function readHead(folder: string): JournalHead | null {
  const last = listFiles(folder).at(-1);
  if (last === undefined) return null;
  cutTornLine(last.path);
  let bytes: Buffer | undefined;
  for (const line of readLines(last.path)) bytes = Buffer.from(line);
  // A file that a crash left empty: its number says where the chain stands, the file before it has the hash.
  if (bytes === undefined) {
    rmSync(last.path);
    return readHead(folder);
  }
  const line = decodeLine(bytes);
  if (line === undefined) throw new Error(`the last line of ${last.path} is not a journal line`);
  return { seq: line.seq, hash: hashLine(bytes) };
}

function writeAll(file: number, bytes: Buffer): void {
  for (let done = 0; done < bytes.byteLength; ) done += writeSync(file, bytes, done);
}

const hasSpace = (folder: string): boolean => {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize >= MIN_FREE_BYTES;
  } catch {
    return false;
  }
};

function unwritableUnless<T>(what: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw new SallyportError("agent.journal_unwritable", `${what}: ${(error as Error).message}`, {}, error);
  }
}
