/** Files and links of an update: changed in one step, on the disk before the next one. */
import {
  chmodSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { version } from "@sallyport/shared/release/version.ts";
import { syncFolder, writeAll } from "../state.ts";
import type { UpdatePlaces } from "./places.ts";

/** What the way back needs: a link, a record of a few lines, and the folder's own growth. */
const RESERVE_BYTES = 256 * 1024;

/** The version that a link names (`versions/1.2.3`); undefined where there is no such link. */
export function versionOf(link: string): string | undefined {
  let target: string;
  try {
    target = readlinkSync(link);
  } catch {
    return undefined;
  }
  return version.safeParse(basename(target)).data;
}

/** Makes `link` name a version: a new link is renamed over the old one, so that there is always one. Idempotent. */
export function repoint(link: string, to: string): void {
  if (versionOf(link) === to) return;
  const beside = `${link}.new`;
  rmSync(beside, { force: true });
  symlinkSync(join("versions", to), beside);
  renameSync(beside, link);
  syncFolder(dirname(link));
}

/** The updater's folder. Only root writes there; the agent reads in it how the last update ended. */
export function makeOwn({ own }: UpdatePlaces): void {
  mkdirSync(own, { recursive: true });
  // Whatever was asked of mkdir, the process's mask had its say.
  chmodSync(own, 0o755);
}

/** Puts room aside, once. @throws ENOSPC: then nothing is begun */
export function reserveRoom(places: UpdatePlaces): void {
  makeOwn(places);
  const file = openSync(places.reserve, "w", 0o600);
  try {
    writeAll(file, Buffer.alloc(RESERVE_BYTES, 1));
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** Does it; where the disk is full, gives up the room that was put aside and does it once more. */
export function inReserve<T>({ reserve }: UpdatePlaces, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (!isFull(error)) throw error;
    rmSync(reserve, { force: true });
    return act();
  }
}

export const isFull = (error: unknown): boolean =>
  ["ENOSPC", "EDQUOT", "EFBIG"].includes((error as NodeJS.ErrnoException).code ?? "");
