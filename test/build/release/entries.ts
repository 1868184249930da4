/** What goes into an archive: paths with modes and contents, in one order, and nothing of the machine that makes it. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

interface Place {
  /** Relative, with forward slashes; no `./` before it. */
  readonly path: string;
  readonly mode: number;
  /** 0 where nothing is said. */
  readonly uid?: number;
  readonly gid?: number;
}

export type Entry =
  | (Place & { readonly kind: "folder" })
  | (Place & { readonly kind: "link"; readonly to: string })
  | (Place & { readonly kind: "file"; readonly bytes: Buffer });

export const file = (path: string, content: string | Buffer, mode = 0o644): Entry => ({
  ...{ kind: "file", path, mode },
  bytes: typeof content === "string" ? Buffer.from(content) : content,
});

export const link = (path: string, to: string): Entry => ({ kind: "link", path, mode: 0o777, to });

export const folder = (
  path: string,
  mode = 0o755,
  owner: { readonly uid?: number; readonly gid?: number } = {},
): Entry => ({
  ...{ kind: "folder", path, mode },
  ...owner,
});

/** The regular files of a folder and of those below it, at `path`; executable stay those that are. */
export const filesOf = (source: string, path: string): Entry[] =>
  readdirSync(source, { withFileTypes: true }).flatMap((entry) => {
    const from = join(source, entry.name);
    const to = `${path}/${entry.name}`;
    if (entry.isDirectory()) return filesOf(from, to);
    return [file(to, readFileSync(from), statSync(from).mode & 0o100 ? 0o755 : 0o644)];
  });

/** The same below another path. */
export const below = (path: string, entries: readonly Entry[]): Entry[] =>
  entries.map((entry) => ({ ...entry, path: `${path}/${entry.path}` }));

/** Sorted, each once, with every folder that leads there before what is in it. @throws where two differ in one path */
export function complete(entries: readonly Entry[]): Entry[] {
  const all = new Map<string, Entry>();
  for (const entry of entries) {
    const there = all.get(entry.path);
    if (there !== undefined && there.kind !== "folder") throw new Error(`${entry.path} is there twice`);
    all.set(entry.path, entry);
  }
  for (const path of [...all.keys()]) {
    const parts = path.split("/");
    for (let length = 1; length < parts.length; length += 1) {
      const above = parts.slice(0, length).join("/");
      if (!all.has(above)) all.set(above, folder(above));
    }
  }
  return [...all.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}
