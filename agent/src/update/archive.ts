/**
 * Unpacks a release: a gzipped tar of the plain kind (POSIX.1-1988 ustar), with regular files and folders only. Its sum was
 * checked before, so this is the second wall: no link, no name that leads out, nothing beyond what the manifest announced.
 */
import { createReadStream } from "node:fs";
import { type FileHandle, mkdir, open } from "node:fs/promises";
import { dirname, join } from "node:path";
import { createGunzip } from "node:zlib";
import { syncFolder } from "../state.ts";

const BLOCK = 512;
const NAME = /^[A-Za-z0-9_@][A-Za-z0-9._@+-]*$/;
const MAX_DEPTH = 12;
const MAX_FILES = 10_000;

export interface TarEntry {
  readonly kind: "file" | "folder";
  readonly name: string;
  readonly bytes: number;
  readonly executable: boolean;
}

/** A header block; `end` for one of zeros. Pure. @throws Error for what a release never holds */
function readHeader(block: Uint8Array): TarEntry | "end" {
  const bytes = Buffer.from(block);
  if (bytes.every((byte) => byte === 0)) return "end";
  const sum = octal(bytes, 148, 8);
  const summed = bytes.reduce((total, byte, at) => total + (at >= 148 && at < 156 ? 32 : byte), 0);
  if (sum !== summed) throw new Error("a header of the archive is damaged");
  const type = String.fromCharCode(bytes[156] ?? 0);
  if (type !== "0" && type !== "5") throw new Error("the archive holds what is neither a file nor a folder");
  const prefix = text(bytes, 345, 155);
  const name = `${prefix === "" ? "" : `${prefix}/`}${text(bytes, 0, 100)}`.replace(/\/$/, "");
  const parts = name.split("/");
  if (parts.length > MAX_DEPTH || !parts.every((part) => NAME.test(part)))
    throw new Error("the archive holds a name that may lead elsewhere");
  const kind = type === "5" ? "folder" : "file";
  return {
    kind,
    name,
    bytes: kind === "file" ? octal(bytes, 124, 12) : 0,
    executable: (octal(bytes, 100, 8) & 0o100) !== 0,
  };
}

const text = (bytes: Buffer, at: number, length: number): string => {
  const end = bytes.indexOf(0, at);
  return bytes.toString("latin1", at, end === -1 ? at + length : Math.min(end, at + length));
};

function octal(bytes: Buffer, at: number, length: number): number {
  const digits = text(bytes, at, length).trim();
  if (!/^[0-7]{1,11}$/.test(digits)) throw new Error("a header of the archive is damaged");
  return Number.parseInt(digits, 8);
}

/**
 * Unpacks into `folder`, which is new. Everything is on the disk when it returns.
 * @param maxBytes of all files together @throws Error; ENOSPC
 */
export async function unpack(archive: string, folder: string, maxBytes: number): Promise<void> {
  const folders = new Set([folder]);
  await mkdir(folder, { recursive: true, mode: 0o755 });
  const source = createReadStream(archive);
  const tar = source.pipe(createGunzip());
  source.on("error", (error) => tar.destroy(error));
  const blocks = blocksOf(tar);
  let left = maxBytes;
  let count = 0;
  try {
    for (;;) {
      const header = await blocks.next(BLOCK);
      if (header === undefined) throw new Error("the archive ends in the middle");
      const entry = readHeader(header);
      if (entry === "end") break;
      left -= entry.bytes;
      count += 1;
      if (left < 0 || count > MAX_FILES) throw new Error("the archive holds more than its manifest says");
      const path = join(folder, entry.name);
      const into = entry.kind === "folder" ? path : dirname(path);
      await mkdir(into, { recursive: true, mode: 0o755 });
      for (let each = into; each.length >= folder.length; each = dirname(each)) folders.add(each);
      if (entry.kind === "file") await writeEntry(blocks, path, entry);
    }
  } finally {
    source.destroy();
    tar.destroy();
  }
  for (const each of folders) syncFolder(each);
}

async function writeEntry(blocks: Blocks, path: string, { bytes, executable }: TarEntry): Promise<void> {
  let file: FileHandle | undefined;
  try {
    file = await open(path, "wx", executable ? 0o755 : 0o644);
    for (let left = bytes; left > 0; ) {
      const piece = await blocks.next(Math.min(left, 256 * BLOCK));
      if (piece === undefined) throw new Error("the archive ends in the middle");
      await file.writeFile(piece);
      left -= piece.length;
    }
    await file.sync();
  } finally {
    await file?.close();
  }
  const padding = (BLOCK - (bytes % BLOCK)) % BLOCK;
  if (padding > 0 && (await blocks.next(padding)) === undefined) throw new Error("the archive ends in the middle");
}

interface Blocks {
  /** Exactly so many bytes, or undefined at the end. */
  next(bytes: number): Promise<Buffer | undefined>;
}

function blocksOf(stream: AsyncIterable<Buffer>): Blocks {
  const chunks = stream[Symbol.asyncIterator]();
  let held: Buffer = Buffer.alloc(0);
  return {
    async next(bytes) {
      while (held.length < bytes) {
        const { done, value } = await chunks.next();
        if (done === true) return undefined;
        held = held.length === 0 ? value : Buffer.concat([held, value]);
      }
      const piece = held.subarray(0, bytes);
      held = held.subarray(bytes);
      return piece;
    },
  };
}
