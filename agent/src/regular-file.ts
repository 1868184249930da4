/**
 * Files in the agent's folder, whose entries the agent's account chooses: a command that root runs there must find what it
 * looks for, and not what a link, a pipe or another folder was put in its place for.
 */
import { closeSync, constants, fstatSync, lstatSync, openSync, readSync } from "node:fs";

// Windows has neither, nor links that everybody may make.
const { O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants;

/**
 * A descriptor of the file itself: no link is followed, and no pipe waited for. What is then done to the descriptor is done to
 * what was looked at. @throws when there is none, or it is no regular file
 */
export function openRegular(path: string, flags: number = constants.O_RDONLY, mode?: number): number {
  const file = openSync(path, flags | O_NOFOLLOW | O_NONBLOCK, mode);
  if (fstatSync(file).isFile()) return file;
  closeSync(file);
  throw new Error(`${path} is no regular file`);
}

/** The content of a regular file of at most so many bytes, no link followed; undefined where there is none. @throws Error */
export function readBounded(path: string, maxBytes: number): Buffer | undefined {
  let file: number;
  try {
    file = openRegular(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  try {
    if (fstatSync(file).size > maxBytes) throw new Error(`${path} is larger than ${maxBytes} bytes`);
    const bytes = Buffer.alloc(maxBytes + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length < bytes.length; length += read) {
      read = readSync(file, bytes, length, bytes.length - length, length);
    }
    // It may have grown since it was looked at.
    if (length > maxBytes) throw new Error(`${path} is larger than ${maxBytes} bytes`);
    return bytes.subarray(0, length);
  } finally {
    closeSync(file);
  }
}

/**
 * Run by root, does it with the rights of whoever owns the entry (of a link, who made the link), so that it reaches nothing
 * that its owner could not reach, and new files are its owner's. Anybody else does it as they are. @throws what `act` throws
 */
export function asOwnerOf<T>(path: string, act: () => T): T {
  const back = becomeOwnerOf(path);
  try {
    return act();
  } finally {
    back();
  }
}

/** The same for what takes a while: the whole process has those rights meanwhile, so it must do nothing else. */
export async function asOwnerDuring<T>(path: string, act: () => Promise<T>): Promise<T> {
  const back = becomeOwnerOf(path);
  try {
    return await act();
  } finally {
    back();
  }
}

/** Answers the way back. */
function becomeOwnerOf(path: string): () => void {
  const { geteuid, seteuid, setegid, getegid, getgroups, setgroups } = process;
  if (geteuid?.() !== 0 || !seteuid || !setegid || !getegid || !getgroups || !setgroups) return () => {};
  const { uid, gid } = lstatSync(path);
  if (uid === 0) return () => {};
  const own = { gid: getegid(), groups: getgroups() };
  setgroups([gid]);
  setegid(gid);
  seteuid(uid);
  return () => {
    seteuid(0);
    setegid(own.gid);
    setgroups(own.groups);
  };
}
