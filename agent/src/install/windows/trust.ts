/**
 * Whether somebody but the system and administrators could change a file, or put another in its place, as Windows' access lists say
 * (learn.microsoft.com, "File Security and Access Rights"): the program, before a service is made of it, and the policy.
 */
import { readdirSync, realpathSync } from "node:fs";
import { win32 } from "node:path";
import type { AccessLists } from "./rights.ts";
import { parseSddl } from "./sddl.ts";
import { ADMINISTRATORS_SID, OWNER_RIGHTS_SID, SYSTEM_SID, TRUSTED_INSTALLER_SID } from "./sid.ts";

/** Who changes these may do anything on the machine already. */
const TRUSTED: readonly string[] = [SYSTEM_SID, ADMINISTRATORS_SID, TRUSTED_INSTALLER_SID];

/** DELETE_CHILD, DELETE, WRITE_DAC, WRITE_OWNER, GENERIC_ALL: what takes a folder's entry away, or the folder itself. */
const REPLACES = 0x40 | 0x10000 | 0x40000 | 0x80000 | 0x10000000;
/** That, and to write, append (of a folder: to add to it), and set attributes, also by GENERIC_WRITE. */
const CHANGES = REPLACES | 0x2 | 0x4 | 0x10 | 0x100 | 0x40000000;

export interface Judged {
  readonly path: string;
  /** Rights that nobody else may have. */
  readonly rights: number;
}

/** What of the file system this asks. */
export interface Places {
  /** The path without links. */
  real(path: string): string;
  entries(folder: string): readonly string[];
}

const system: Places = { real: realpathSync.native, entries: readdirSync };

/**
 * Each file and the folder that it is in, which nobody may change: a library beside a program is loaded by it. And all folders above,
 * in which others may make what they like, but replace nothing.
 */
export function judgedFor(files: readonly string[], { real }: Pick<Places, "real"> = system): readonly Judged[] {
  const rights = new Map<string, number>();
  for (const path of files.flatMap((file) => [win32.resolve(file), real(file)])) {
    const [folder = "", ...above] = foldersAbove(path);
    for (const each of [path, folder]) rights.set(each, CHANGES);
    for (const each of above) if (!rights.has(each)) rights.set(each, REPLACES);
  }
  return [...rights].map(([path, mask]) => ({ path, rights: mask }));
}

/** A program with what lies beside it. */
export const besides = (program: string, { entries }: Pick<Places, "entries"> = system): readonly string[] =>
  entries(win32.dirname(program)).map((name) => win32.join(win32.dirname(program), name));

function foldersAbove(path: string): readonly string[] {
  const above = win32.dirname(path);
  return above === path ? [] : [above, ...foldersAbove(above)];
}

/** Who could change what is judged, one sentence each; what cannot be told counts as could. */
export const changeFaults = (judged: readonly Judged[], lists: Pick<AccessLists, "readSddl">): readonly string[] =>
  judged.flatMap(({ path, rights }) => {
    const wrong = wrongIn(path, rights, lists);
    return wrong === undefined ? [] : [`${path} ${wrong}`];
  });

function wrongIn(path: string, rights: number, { readSddl }: Pick<AccessLists, "readSddl">): string | undefined {
  try {
    const { owner, aces } = parseSddl(readSddl(path));
    if (!TRUSTED.includes(owner)) return `belongs to ${owner}, who can give itself any right`;
    // The owner's is the right of somebody who is trusted.
    const others = aces.filter(({ sid }) => !TRUSTED.includes(sid) && sid !== OWNER_RIGHTS_SID);
    const found = others.filter(({ mask, inherit }) => inherit !== "OIIO" && (mask & rights) !== 0);
    return found.length === 0 ? undefined : `can be changed by ${[...new Set(found.map(({ sid }) => sid))].join(", ")}`;
  } catch (error) {
    return `cannot be judged: ${error instanceof Error ? error.message : String(error)}`;
  }
}
