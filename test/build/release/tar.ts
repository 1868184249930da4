/** Writes a tar (POSIX.1-1988 ustar) whose bytes depend on its entries and one time only; and gzips it without a time. */
import { gzipSync } from "node:zlib";
import { complete, type Entry } from "./entries.ts";

const BLOCK = 512;
const TYPES = { file: "0", link: "2", folder: "5" } as const satisfies Record<Entry["kind"], string>;

export interface TarOptions {
  /** Of every entry. */
  readonly epochSeconds: number;
  /** Before each path: `./` in a .deb. */
  readonly prefix?: string;
}

/** @throws where a path does not fit a ustar header */
export function tar(entries: readonly Entry[], { epochSeconds, prefix = "" }: TarOptions): Buffer {
  const blocks = complete(entries).flatMap((entry) => {
    const header = headerOf(entry, prefix, epochSeconds);
    return entry.kind === "file" ? [header, entry.bytes, Buffer.alloc(padding(entry.bytes.length))] : [header];
  });
  return Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)]);
}

/** @param level of zlib; its output is the same for one version of Node */
export const gzipped = (bytes: Buffer): Buffer => gzipSync(bytes, { level: 6 });

export const padding = (bytes: number): number => (BLOCK - (bytes % BLOCK)) % BLOCK;

function headerOf(entry: Entry, before: string, epochSeconds: number): Buffer {
  const header = Buffer.alloc(BLOCK);
  const text = (value: string, at: number, most: number): void => {
    if (Buffer.byteLength(value) > most) throw new Error(`${entry.path} does not fit a tar's header`);
    header.write(value, at);
  };
  const octal = (value: number, at: number, digits: number): void =>
    text(`${value.toString(8).padStart(digits, "0")}\0`, at, digits + 1);
  const [prefix, name] = split(`${before}${entry.path}${entry.kind === "folder" ? "/" : ""}`);
  text(name, 0, 100);
  octal(entry.mode, 100, 7);
  octal(entry.uid ?? 0, 108, 7);
  octal(entry.gid ?? 0, 116, 7);
  octal(entry.kind === "file" ? entry.bytes.length : 0, 124, 11);
  octal(epochSeconds, 136, 11);
  text("        ", 148, 8);
  text(TYPES[entry.kind], 156, 1);
  if (entry.kind === "link") text(entry.to, 157, 100);
  text("ustar\0", 257, 6);
  text("00", 263, 2);
  text(prefix, 345, 155);
  const sum = header.reduce((total, byte) => total + byte, 0);
  text(`${sum.toString(8).padStart(6, "0")}\0 `, 148, 8);
  return header;
}

/** A long path is cut at a slash. */
function split(path: string): readonly [prefix: string, name: string] {
  if (Buffer.byteLength(path) <= 100) return ["", path];
  const at = path.lastIndexOf("/", path.length - 2);
  const cut = Buffer.byteLength(path.slice(at + 1)) <= 100 ? path.indexOf("/", Math.max(0, path.length - 101)) : at;
  return [path.slice(0, cut), path.slice(cut + 1)];
}
