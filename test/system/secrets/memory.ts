/** Scans the memory of another process. */
import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import type { Needle } from "./encodings.ts";
import { findIn } from "./search.ts";

export interface Range {
  readonly start: number;
  readonly end: number;
}

export interface Scan {
  /** Names of the needles that were found. */
  readonly found: readonly string[];
  readonly bytes: number;
}

const PIECE_BYTES = 4 * 2 ** 20;
const PAGE_BYTES = 4096;

/** Readable memory of a /proc/PID/maps text, neighbours joined; the kernel's own pages are left out. */
export function readableRanges(maps: string): Range[] {
  const ranges: { start: number; end: number }[] = [];
  for (const line of maps.split("\n")) {
    const match = /^([0-9a-f]+)-([0-9a-f]+) (\S+) .*?(\[v(?:var|syscall|var_vclock)\])?$/.exec(line);
    if (match === null || !match[3]!.startsWith("r") || match[4] !== undefined) continue;
    const [start, end] = [Number.parseInt(match[1]!, 16), Number.parseInt(match[2]!, 16)];
    // Above 2^53 only the kernel lives.
    if (!Number.isSafeInteger(end)) continue;
    const last = ranges.at(-1);
    if (last?.end === start) last.end = end;
    else ranges.push({ start, end });
  }
  return ranges;
}

const PAGEMAP_ENTRY_BYTES = 8;
/** Bits 63 and 62 of an entry: the page is in memory, or it is swapped out. */
const HAS_CONTENT = 0xc0;

/**
 * The parts of a range whose pages exist, from that range's bytes of /proc/PID/pagemap. The others were never written:
 * a process maps far more than it uses.
 */
export function pagesWithContent(range: Range, pagemap: Uint8Array): Range[] {
  const parts: { start: number; end: number }[] = [];
  for (let entry = 0; entry * PAGEMAP_ENTRY_BYTES < pagemap.byteLength; entry += 1) {
    const highByte = pagemap[entry * PAGEMAP_ENTRY_BYTES + PAGEMAP_ENTRY_BYTES - 1] ?? 0;
    if ((highByte & HAS_CONTENT) === 0) continue;
    const start = range.start + entry * PAGE_BYTES;
    const last = parts.at(-1);
    if (last?.end === start) last.end += PAGE_BYTES;
    else parts.push({ start, end: start + PAGE_BYTES });
  }
  return parts;
}

/** Looks for the needles in all memory of a process that it could read itself. Hold the process still meanwhile. */
export function scanMemory(pid: number, needles: readonly Needle[]): Scan {
  const [memory, pagemap] = [openSync(`/proc/${pid}/mem`, "r"), openSync(`/proc/${pid}/pagemap`, "r")];
  let bytes = 0;
  try {
    const buffer = Buffer.alloc(PIECE_BYTES);
    const found = new Set<string>();
    const pieces = function* (part: Range): Generator<Buffer> {
      for (let at = part.start; at < part.end; ) {
        const read = readAt(memory, buffer, Math.min(PIECE_BYTES, part.end - at), at);
        bytes += read;
        // A page beyond a mapped file's end cannot be read by anyone, the process itself included.
        at += read === 0 ? PAGE_BYTES : read;
        if (read > 0) yield buffer.subarray(0, read);
      }
    };
    for (const range of readableRanges(readFileSync(`/proc/${pid}/maps`, "utf8"))) {
      const entries = Buffer.alloc(((range.end - range.start) / PAGE_BYTES) * PAGEMAP_ENTRY_BYTES);
      const read = readAt(pagemap, entries, entries.byteLength, (range.start / PAGE_BYTES) * PAGEMAP_ENTRY_BYTES);
      if (read < entries.byteLength) throw new Error(`the pages of process ${pid} cannot be told`);
      for (const part of pagesWithContent(range, entries.subarray(0, read)))
        for (const name of findIn(pieces(part), needles)) found.add(name);
    }
    return { found: [...found], bytes };
  } finally {
    closeSync(memory);
    closeSync(pagemap);
  }
}

function readAt(file: number, buffer: Buffer, length: number, position: number): number {
  try {
    return readSync(file, buffer, 0, length, position);
  } catch {
    return 0;
  }
}
