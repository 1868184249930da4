/** Scans folders. */
import { closeSync, lstatSync, openSync, readdirSync, readSync } from "node:fs";
import { join, relative } from "node:path";
import type { Needle } from "./encodings.ts";
import { findIn } from "./search.ts";

const PIECE_BYTES = 2 ** 20;

/** Regular files below a folder, relative to it. */
export const filesBelow = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)));

/** One sentence for each needle in each file that `isExempt` does not let pass; a file's path counts as its content. */
export function scanFiles(folder: string, needles: readonly Needle[], isExempt: (path: string) => boolean): string[] {
  return filesBelow(folder)
    .filter((path) => !isExempt(path))
    .flatMap((path) => findIn(piecesOf(join(folder, path), path), needles).map((name) => `${path} holds the ${name}`));
}

function* piecesOf(path: string, name: string): Generator<Buffer> {
  yield Buffer.from(`${name}\n`);
  let file: number;
  try {
    file = openSync(path, "r");
  } catch (thrown) {
    // Processes at work remove their temporary files.
    if ((thrown as NodeJS.ErrnoException).code === "ENOENT") return;
    throw thrown;
  }
  try {
    const piece = Buffer.alloc(PIECE_BYTES);
    for (let read = readSync(file, piece); read > 0; read = readSync(file, piece)) yield piece.subarray(0, read);
  } finally {
    closeSync(file);
  }
}

/** Files in the folder itself that a kernel could have dumped, and that were not there before. */
export const newCores = (folder: string, before: ReadonlySet<string>): string[] =>
  coresIn(folder).filter((name) => !before.has(name));

export const coresIn = (folder: string): string[] =>
  readdirSync(folder).filter((name) => /^core(\.|$)|\.core$/.test(name) && lstatSync(join(folder, name)).isFile());
