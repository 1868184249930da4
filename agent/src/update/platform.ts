/** What an update finds otherwise on another platform; all else of it is the same everywhere. */
import { rmSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { repoint, versionOf } from "./files.ts";

export interface Platform {
  /** As a manifest names it: `linux-x64`. */
  readonly name: string;
  /** The version that `places.current` or `places.updater` names; undefined where it names none. */
  versionOf(pointer: string): string | undefined;
  /** Makes it name another, in one step. Idempotent. */
  repoint(pointer: string, to: string): void;
  /** Whether nobody but administrators could have written this file of the owner's. */
  isOwners(path: string): boolean;
  /** Removes a version that nobody needs any more, where it may go. */
  remove(folder: string): void;
  /** Whether the updater is to be started with the machine, as long as an update is under way; left out where it always is. */
  startWithMachine?(wanted: boolean): void;
}

/** As a manifest names what Node calls so. Pure. */
export const platformName = (platform: string = process.platform, arch: string = process.arch): string =>
  `${platform === "win32" ? "windows" : platform}-${arch}`;

/** What a version's folder must hold to be started. @param platform as a manifest names it */
export const programOf = (platform: string): readonly string[] =>
  platform.startsWith("windows-") ? ["sallyport.exe", "koffi.node"] : ["node", "app/sallyport.mjs", "app/updater.mjs"];

/** Links name versions, and modes say whose a file is. */
export const linksPlatform: Platform = {
  ...{ name: platformName(), versionOf, repoint, isOwners },
  remove: (folder) => rmSync(folder, { recursive: true, force: true }),
};

const WRITABLE_BY_OTHERS = 0o022;

/** Whether the file and its folder belong to this process's account (root's), and nobody else may write them. */
function isOwners(path: string): boolean {
  const own = process.geteuid?.();
  return [path, dirname(path)].every((each) => {
    const { uid, mode } = statSync(each, { throwIfNoEntry: false }) ?? { uid: -1, mode: WRITABLE_BY_OTHERS };
    return uid === own && (mode & WRITABLE_BY_OTHERS) === 0;
  });
}
