/**
 * The journal: append-only, hash-chained, synced to the disk before anyone acts on a line. Written by the supervisor
 * alone, one line at a time.
 */
import { closeSync, constants, fdatasyncSync, fstatSync, ftruncateSync, rmSync, statfsSync, writeSync } from "node:fs";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { openRegular } from "../regular-file.ts";
import { syncFolder } from "../state.ts";
import { countLines, currentPath, cutTornLine, lastAtMs, listFiles, readLines, setAside } from "./files.ts";
import { encodeLine, hashLine, type JournalFacts, type JournalHead, type JournalLine } from "./line.ts";
import { decodeLine, type ReadLine } from "./read-line.ts";

/** What a disk keeps for the lines of what is running, and for whoever mends it: no session begins below it. */
const MIN_FREE_BYTES = 50 * 1024 * 1024;
const DAY_MS = 86_400_000;
const PROBE = Buffer.from(" ");

export interface Journal {
  /**
   * Writes one line and syncs it. The disk's last 50 MB are for every line but a `request`.
   * @throws agent.journal_unwritable; then nothing of the line is in the chain.
   */
  append(facts: JournalFacts): JournalLine;
  /** Whether a session may begin: the disk has its 50 MB, and takes what is written. */
  writable(): boolean;
  head(): JournalHead | null;
  close(): void;
}

export interface JournalOptions {
  /**
   * Total bytes and age in days that are kept; what is older goes by whole files, and a `retention` line says so. By age one
   * file a day goes at most: to a clock that jumps ahead everything is old.
   */
  readonly maxBytes: number;
  readonly maxDays: number;
  /** Bytes after which a new file begins. */
  readonly fileBytes?: number;
  /** Told of each line once it is synced, with its bytes. It must neither throw nor wait. */
  readonly written?: (line: JournalLine, bytes: Buffer) => void;
  readonly nowMs?: () => number;
  /** What the folder's disk has left. */
  readonly freeBytes?: (folder: string) => number;
}

/** Opens the journal at its head. @throws agent.journal_unwritable when the folder or its last line cannot be used. */
export function openJournal(folder: string, options: JournalOptions): Journal {
  const fileBytes = options.fileBytes ?? Math.min(16 * 2 ** 20, Math.ceil(options.maxBytes / 8));
  // A file goes as a whole, so one that never fills up would keep its oldest line for ever.
  const fileMs = Math.min(30, Math.ceil(options.maxDays / 8)) * DAY_MS;
  const nowMs = options.nowMs ?? Date.now;
  let { head, retainedAtMs } = unwritableUnless("The journal cannot be opened", () => readEnd(folder));
  let file: number | undefined;
  let written = 0;
  let firstSeq = 1;
  let firstAtMs = 0;
  let lookedDay = 0;
  let broken = false;
  let failed = false;

  const open = (): number => {
    const path = currentPath(folder);
    const opened = openRegular(path, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT, 0o600);
    written = fstatSync(opened).size;
    // Only now: what fails from here on is taken back to that size.
    file = opened;
    const first = written === 0 ? undefined : listFiles(folder).at(-1);
    // A first line that cannot be read tells neither number nor time; the head knows how many come after it.
    const isUnread = first === undefined || Number.isNaN(first.firstAtMs);
    firstSeq = isUnread ? (head?.seq ?? 0) + 1 - (written === 0 ? 0 : countLines(path)) : first.firstSeq;
    firstAtMs = isUnread ? nowMs() : first.firstAtMs;
    syncFolder(folder);
    return opened;
  };

  /** Opens the file that the next line goes to; a full or an old one is set aside. True where it was not open before. */
  const openCurrent = (): boolean => {
    const wasOpen = file !== undefined;
    const current = file ?? open();
    if (written < fileBytes && (written === 0 || nowMs() - firstAtMs < fileMs)) return !wasOpen;
    closeSync(current);
    file = undefined;
    setAside(folder, firstSeq);
    open();
    return true;
  };

  const write = (facts: JournalFacts): JournalLine => {
    const line: JournalLine = {
      seq: (head?.seq ?? 0) + 1,
      at: new Date(nowMs()).toISOString(),
      ...(head === null ? {} : { prev: head.hash }),
      ...facts,
    };
    const bytes = encodeLine(line);
    const current = file ?? open();
    writeAll(current, bytes);
    fdatasyncSync(current);
    written += bytes.byteLength;
    head = { seq: line.seq, hash: hashLine(bytes) };
    options.written?.(line, bytes);
    return line;
  };

  const retain = (): void => {
    const files = listFiles(folder).slice(0, -1);
    let total = files.reduce((sum, each) => sum + each.bytes, written);
    let surplus = 0;
    let oneByAge = dayOf(nowMs()) !== dayOf(retainedAtMs);
    for (const { path, bytes } of files) {
      const isOver = total > options.maxBytes;
      const isOld = oneByAge && nowMs() - lastAtMs(path) > options.maxDays * DAY_MS;
      if (!isOver && !isOld) break;
      oneByAge &&= isOver;
      total -= bytes;
      surplus += 1;
    }
    lookedDay = dayOf(nowMs());
    if (surplus === 0) return;
    // Said before it is done: whatever is missing later without such a line was not removed by us.
    retainedAtMs = Date.parse(write({ event: "retention", firstKept: files[surplus]?.firstSeq ?? firstSeq }).at);
    // One that cannot be removed is tried again another day: it must not cost a line.
    for (const { path } of files.slice(0, surplus)) removeIfPossible(path);
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

  const hasSpace = (): boolean => {
    try {
      return (options.freeBytes ?? freeBytesOf)(folder) >= MIN_FREE_BYTES;
    } catch {
      return false;
    }
  };

  /** Nothing but a write tells. A byte that could not be taken back is a torn line, which the next start cuts. */
  const takesBytes = (): boolean => {
    try {
      const current = file ?? open();
      writeAll(current, PROBE);
      fdatasyncSync(current);
      ftruncateSync(current, written);
      return true;
    } catch {
      takeBack();
      return false;
    }
  };

  const append = (facts: JournalFacts): JournalLine => {
    try {
      if (broken) throw new Error("a failed line could not be taken back; a restart reads the journal anew");
      if (facts.event === "request" && !hasSpace()) throw new Error("less than 50 MB free");
      if (openCurrent() || dayOf(nowMs()) !== lookedDay) retain();
      const line = write(facts);
      failed = false;
      return line;
    } catch (error) {
      failed = true;
      takeBack();
      throw new SallyportError("agent.journal_unwritable", "The journal line could not be written.", {}, error);
    }
  };

  return {
    append,
    writable() {
      if (broken || !hasSpace()) return false;
      failed &&= !takesBytes();
      return !failed;
    },
    head: () => head,
    close() {
      if (file !== undefined) closeSync(file);
      file = undefined;
    },
  };
}

/**
 * The lines of files written to since `sinceMs`, oldest first: what open sessions and daily budgets are found from.
 * @param last of the last so many lines none is left out; files that hold none of them are not read
 */
export function* recentLines(folder: string, sinceMs: number, last = Number.POSITIVE_INFINITY): Generator<ReadLine> {
  const files = listFiles(folder);
  const newest = files.findLast(({ firstSeq }) => firstSeq < Number.MAX_SAFE_INTEGER)?.firstSeq ?? 0;
  for (const [index, file] of files.entries()) {
    // How many lines the later files have at least: a file is named by its first one.
    const after = newest - (files[index + 1]?.firstSeq ?? Number.POSITIVE_INFINITY);
    if (after >= last || (files[index + 1]?.firstAtMs ?? sinceMs) < sinceMs) continue;
    for (const bytes of readLines(file.path)) {
      const line = decodeLine(bytes);
      if (line !== undefined) yield line;
    }
  }
}

interface End {
  readonly head: JournalHead | null;
  /** When the last `retention` line of the newest file was written; NaN where that has none. */
  readonly retainedAtMs: number;
}

function readEnd(folder: string): End {
  const last = listFiles(folder).at(-1);
  if (last === undefined) return { head: null, retainedAtMs: Number.NaN };
  cutTornLine(last.path);
  let bytes: Buffer | undefined;
  let retention: Buffer | undefined;
  for (const line of readLines(last.path)) {
    bytes = Buffer.from(line);
    if (line.includes('"event":"retention"')) retention = bytes;
  }
  // A file that a crash left empty: its number says where the chain stands, the file before it has the hash.
  if (bytes === undefined) {
    rmSync(last.path);
    return readEnd(folder);
  }
  const line = decodeLine(bytes);
  if (line === undefined) throw new Error(`the last line of ${last.path} is not a journal line`);
  const retainedAtMs = Date.parse((retention && decodeLine(retention)?.at) ?? "");
  return { head: { seq: line.seq, hash: hashLine(bytes) }, retainedAtMs };
}

function writeAll(file: number, bytes: Buffer): void {
  for (let done = 0; done < bytes.byteLength; ) done += writeSync(file, bytes, done);
}

const dayOf = (ms: number): number => Math.floor(ms / DAY_MS);

function freeBytesOf(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

function removeIfPossible(path: string): void {
  try {
    rmSync(path);
  } catch {}
}

function unwritableUnless<T>(what: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw new SallyportError("agent.journal_unwritable", `${what}: ${(error as Error).message}`, {}, error);
  }
}
