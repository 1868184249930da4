/** Archives as a release's builder never makes them: any name, any type of entry. */
import { gzipSync } from "node:zlib";
import { file } from "../../build/release/entries.ts";
import { tar } from "../../build/release/tar.ts";

export interface HostileEntry {
  readonly name: string;
  readonly content: string;
  /** `0` is a file (POSIX.1-1988 ustar). */
  readonly type?: string;
}

/** Each entry by the builder's own writer, with its header changed afterwards. */
export function hostileArchive(entries: readonly HostileEntry[]): Buffer {
  const blocks = entries.map(({ name, content, type = "0" }) => {
    const one = tar([file("x", content)], { epochSeconds: 0 }).subarray(0, -1024);
    one.fill(0, 0, 100).write(name);
    one.write(type, 156);
    one.fill(" ", 148, 156);
    const sum = one.subarray(0, 512).reduce((total, byte) => total + byte, 0);
    one.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
    return one;
  });
  return gzipSync(Buffer.concat([...blocks, Buffer.alloc(1024)]));
}
