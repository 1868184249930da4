/**
 * The journal's files, pieces of one chain: `journal.jsonl` is written; a full one is renamed to the number of its first
 * line, `0000000001.jsonl`.
 */
import { closeSync, constants, fstatSync, ftruncateSync, readdirSync, readSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { openRegular } from "../regular-file.ts";
import { MAX_LINE_BYTES } from "./line.ts";
import { decodeLine, type ReadLine } from "./read-line.ts";

const CURRENT = "journal.jsonl";

const FILE_NAME = /^([0-9]{10})\.jsonl$/;
const CHUNK_BYTES = 64 * 1024;
const LF = 0x0a;

export interface JournalFile {
  readonly path: string;
  readonly firstSeq: number;
  readonly bytes: number;
  /** When its first line was written, by that line; NaN where there is none that can be read. */
  readonly firstAtMs: number;
}

/** The folder's files, oldest first, the one being written last. */
export function listFiles(folder: string): JournalFile[] {
  return readdirSync(folder)
    .flatMap((name) => {
      const number = FILE_NAME.exec(name)?.[1];
      if (name !== CURRENT && number === undefined) return [];
      const path = join(folder, name);
      const first = firstLine(path);
      // The one being written comes after every other, also where nothing in it can be read.
      const firstSeq = number === undefined ? (first?.seq ?? Number.MAX_SAFE_INTEGER) : Number(number);
      return [{ path, firstSeq, bytes: statSync(path).size, firstAtMs: Date.parse(first?.at ?? "") }];
    })
    .sort((a, b) => a.firstSeq - b.firstSeq);
}

/** A file that cannot be read is listed all the same: it must cost neither a line nor the files after it. */
function firstLine(path: string): ReadLine | undefined {
  try {
    for (const bytes of readLines(path)) return decodeLine(bytes);
  } catch {}
  return undefined;
}

/** How many lines stand in the file. */
export function countLines(path: string): number {
  let lines = 0;
  for (const _ of readLines(path)) lines += 1;
  return lines;
}

/** When the file's last line was written; NaN where it cannot be read. Reads no more than that line can be long. */
export function lastAtMs(path: string): number {
  try {
    const { bytes } = readTail(path);
    return Date.parse(decodeLine(bytes.subarray(bytes.lastIndexOf(LF, -2) + 1))?.at ?? "");
  } catch {
    return Number.NaN;
  }
}

/** How many bytes its whole lines are: a last line that is being written, or torn, is not counted. */
export function lastLineEnd(path: string): number {
  const { start, bytes } = readTail(path);
  return start + bytes.lastIndexOf(LF) + 1;
}

/** As much of its end as one line can be long. */
function readTail(path: string): { readonly start: number; readonly bytes: Buffer } {
  const file = openRegular(path);
  try {
    const end = Buffer.alloc(MAX_LINE_BYTES);
    const start = Math.max(0, fstatSync(file).size - end.byteLength);
    return { start, bytes: end.subarray(0, readSync(file, end, 0, end.byteLength, start)) };
  } finally {
    closeSync(file);
  }
}

export const currentPath = (folder: string): string => join(folder, CURRENT);

/** Gives a full file its number; the next line begins a new one. */
export function setAside(folder: string, firstSeq: number): void {
  renameSync(currentPath(folder), join(folder, `${String(firstSeq).padStart(10, "0")}.jsonl`));
}

/**
 * The file's lines in order, LF included, without holding more than one chunk; a torn last line comes without LF.
 * @param fromByte where a line begins
 */
export function* readLines(path: string, fromByte = 0): Generator<Buffer> {
  const file = openRegular(path);
  try {
    yield* linesIn(file, fromByte);
  } finally {
    closeSync(file);
  }
}

function* linesIn(file: number, fromByte: number): Generator<Buffer> {
  const chunk = Buffer.alloc(CHUNK_BYTES);
  let rest: Buffer = Buffer.alloc(0);
  let at = fromByte;
  for (
    let read = readSync(file, chunk, 0, CHUNK_BYTES, at);
    read > 0;
    read = readSync(file, chunk, 0, CHUNK_BYTES, at)
  ) {
    at += read;
    let bytes = Buffer.concat([rest, chunk.subarray(0, read)]);
    for (let end = bytes.indexOf(LF); end !== -1; end = bytes.indexOf(LF)) {
      yield bytes.subarray(0, end + 1);
      bytes = bytes.subarray(end + 1);
    }
    rest = Buffer.from(bytes);
    // Not a line of ours any more; whoever reads it says so, and memory stays bounded.
    if (rest.byteLength > CHUNK_BYTES) break;
  }
  if (rest.byteLength > 0) yield rest;
}

/** Cuts a last line that a crash left without its LF: it was never acted on, because acting waits for the sync. */
export function cutTornLine(path: string): void {
  const file = openRegular(path, constants.O_RDWR);
  try {
    let whole = 0;
    for (const line of linesIn(file, 0)) if (line.at(-1) === LF) whole += line.byteLength;
    ftruncateSync(file, whole);
  } finally {
    closeSync(file);
  }
}
