/**
 * Whose an installation's files are (docs/hardening.md): what decides is root's and readable by the service, what the service
 * writes is its own. The folder of both is sticky, so that the service replaces its own files there and nobody else's.
 */
import {
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  type Stats,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { openRegular } from "../regular-file.ts";
import type { StatePaths } from "../state.ts";

/** The service's account and its group. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

interface Right {
  readonly path: string;
  readonly isFolder: boolean;
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
  /** What is good enough otherwise. */
  readonly suffices?: (stat: Stats) => boolean;
}

/** Folders that this process has open, each by its number (proc_pid_fd(5)). */
const DESCRIPTORS = "/proc/self/fd";

/** By which path one of these is reached. */
type Way = (path: string) => string;
const asItIs: Way = (path) => path;

/** The account that these folders were given to; undefined where they are root's, or whoever asks is not root. */
export function ownerOf({ root, keys }: StatePaths): Owner | undefined {
  if (process.geteuid?.() !== 0) return undefined;
  const uid = statOf(keys)?.uid ?? 0;
  return uid === 0 ? undefined : { uid, gid: statOf(root)?.gid ?? 0 };
}

/**
 * Gives every file that is there its owner, group and mode; by root only. The service's account may be at work meanwhile: each
 * folder is opened once, no link followed, and what is in it is reached through that descriptor, so a folder that is renamed and
 * a link in its place lead nowhere else. What is given away are its own files then.
 * @param opened is told of each folder once it is held
 * @throws where a file cannot be opened or given away
 */
export function settleRights(paths: StatePaths, owner: Owner, opened: (folder: string) => void = () => {}): void {
  if (!existsSync(DESCRIPTORS)) throw new Error("/proc is not mounted: files cannot be given away safely without it");
  const held = new Map<string, number>();
  const through: Way = (path) => {
    const own = held.get(path);
    if (own !== undefined) return `${DESCRIPTORS}/${own}/.`;
    // These two stand in folders of root's.
    if (path === paths.root || path === paths.configuration) return path;
    // Of a folder that was not there just now nothing is.
    return `${DESCRIPTORS}/${held.get(dirname(path)) ?? "none"}/${basename(path)}`;
  };
  try {
    for (const right of rightsOf(paths, owner, through)) {
      const file = settle(right, through);
      if (file === undefined) continue;
      held.set(right.path, file);
      opened(right.path);
    }
  } finally {
    for (const folder of held.values()) closeSync(folder);
  }
}

/** The same for the policy alone, which lies in a folder of root's: nothing of the service's is looked at, so it may run. */
export function settlePolicy({ policy }: StatePaths, { gid }: Owner): void {
  settle({ path: policy, isFolder: false, uid: 0, gid, mode: 0o640 }, asItIs);
}

/** What is not as `settleRights` would leave it, one sentence each. */
export const rightsFaults = (paths: StatePaths, owner: Owner): readonly string[] =>
  [...rightsOf(paths, owner)].flatMap(({ path, uid, gid, mode, suffices }) => {
    const found = statOf(path);
    if (found === undefined || suffices?.(found)) return [];
    const is = `${found.uid}:${found.gid} ${octal(found.mode)}`;
    const due = `${uid}:${gid} ${octal(mode)}`;
    return is === due ? [] : [`${path} is ${is}, should be ${due}`];
  });

/** Folders before what is in them: from then on only root and the service put something there. */
function* rightsOf(paths: StatePaths, { uid, gid }: Owner, way: Way = asItIs): Generator<Right> {
  const owners = { uid: 0, gid };
  const own = { uid, gid };
  if (paths.configuration !== paths.root) {
    yield { path: paths.configuration, isFolder: true, ...owners, mode: 0o750 };
    yield* filesIn(paths.configuration, { ...owners, mode: 0o640, suffices: isReadOnly(gid) }, way);
  }
  yield { path: paths.root, isFolder: true, ...owners, mode: 0o1770 };
  for (const path of [paths.config, paths.policy]) yield { path, isFolder: false, ...owners, mode: 0o640 };
  yield { path: paths.control, isFolder: true, ...owners, mode: 0o750 };
  yield* filesIn(paths.control, { ...owners, mode: 0o644 }, way);
  for (const folder of [paths.keys, paths.journal, paths.run, join(paths.root, "update")]) {
    yield { path: folder, isFolder: true, ...own, mode: 0o700 };
    yield* filesIn(folder, { ...own, mode: 0o600 }, way);
  }
  for (const path of [paths.pinned, paths.usage, paths.maskKey]) yield { path, isFolder: false, ...own, mode: 0o600 };
}

/** A certificate that everybody may read is as good as one that the service may read. */
const isReadOnly =
  (group: number) =>
  ({ uid, gid, mode }: Stats): boolean =>
    uid === 0 && (mode & 0o022) === 0 && ((mode & 0o004) !== 0 || (gid === group && (mode & 0o040) !== 0));

function* filesIn(folder: string, rights: Omit<Right, "path" | "isFolder">, way: Way): Generator<Right> {
  if (statOf(way(folder))?.isDirectory() !== true) return;
  for (const entry of readdirSync(way(folder), { withFileTypes: true })) {
    if (entry.isFile()) yield { path: join(folder, entry.name), isFolder: false, ...rights };
  }
}

/** Answers a folder's descriptor, which is the caller's to close; undefined for a file, and for what is not there. */
function settle({ path, isFolder, uid, gid, mode, suffices }: Right, way: Way): number | undefined {
  const found = statOf(way(path));
  if (found === undefined || suffices?.(found)) return undefined;
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = constants;
  const opened = isFolder ? openSync(way(path), O_RDONLY | O_DIRECTORY | O_NOFOLLOW) : openRegular(way(path));
  let isKept = false;
  try {
    // One with a second name may be somebody else's file: root gives nothing away that it did not find here.
    if (!isFolder && fstatSync(opened).nlink > 1) throw new Error(`${path} has another name somewhere: remove it`);
    give(opened, uid, gid, mode);
    isKept = isFolder;
    return isKept ? opened : undefined;
  } finally {
    if (!isKept) closeSync(opened);
  }
}

function give(opened: number, uid: number, gid: number, mode: number): void {
  try {
    fchownSync(opened, uid, gid);
    fchmodSync(opened, mode);
  } catch (error) {
    // A file that is mounted to be read only is its owner's already.
    if ((error as NodeJS.ErrnoException).code !== "EROFS") throw error;
  }
}

const statOf = (path: string) => lstatSync(path, { throwIfNoEntry: false });
const octal = (mode: number): string => (mode & 0o7777).toString(8);
