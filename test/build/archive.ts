/** A folder as a gzipped tar (POSIX.1-1988 ustar) that the agent's updater unpacks: the same files give the same bytes. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

const BLOCK = 512;

export interface Archive {
  readonly bytes: number;
  /** Of its files together. */
  readonly unpackedBytes: number;
  readonly sha256: string;
}

export interface ArchiveEntry {
  /** Relative, with `/`; at most 100 bytes. */
  readonly name: string;
  readonly content: Uint8Array;
  readonly executable?: boolean;
  /** `0` is a file; anything else is for tests. */
  readonly type?: string;
}

/** Every file below `folder`, sorted; empty folders are left out. */
export function entriesOf(folder: string, below = ""): ArchiveEntry[] {
  return readdirSync(join(folder, below), { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const name = below === "" ? entry.name : `${below}/${entry.name}`;
      if (entry.isDirectory()) return entriesOf(folder, name);
      const path = join(folder, name);
      return [{ name, content: readFileSync(path), executable: (statSync(path).mode & 0o100) !== 0 }];
    });
}

/** Writes the archive. @throws Error for a name that is too long */
export function writeArchive(entries: readonly ArchiveEntry[], file: string): Archive {
  const blocks = entries.flatMap((entry) => {
    const padding = Buffer.alloc((BLOCK - (entry.content.length % BLOCK)) % BLOCK);
    return [headerOf(entry), entry.content, padding];
  });
  // Level 9 and no time in the header: the same bytes wherever it is made.
  const packed = gzipSync(Buffer.concat([...blocks, Buffer.alloc(2 * BLOCK)]), { level: 9 });
  writeFileSync(file, packed);
  return {
    bytes: packed.length,
    unpackedBytes: entries.reduce((sum, { content }) => sum + content.length, 0),
    sha256: createHash("sha256").update(packed).digest("hex"),
  };
}

function headerOf({ name, content, executable = false, type = "0" }: ArchiveEntry): Buffer {
  const header = Buffer.alloc(BLOCK);
  if (header.write(name, 0, 100) !== Buffer.byteLength(name)) throw new Error(`${name} is too long for an archive`);
  const octal = (value: number, at: number, digits: number) =>
    header.write(value.toString(8).padStart(digits, "0"), at);
  octal(executable ? 0o755 : 0o644, 100, 7);
  octal(0, 108, 7);
  octal(0, 116, 7);
  octal(content.length, 124, 11);
  octal(0, 136, 11);
  header.write("        ", 148);
  header.write(type, 156);
  header.write("ustar\x0000", 257);
  octal(
    header.reduce((sum, byte) => sum + byte, 0),
    148,
    6,
  );
  header.write("\x00 ", 154);
  return header;
}
