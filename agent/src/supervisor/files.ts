/** Whether this process could change a file: the policy and the program must belong to somebody else. */
import { accessSync, constants, realpathSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";

const STICKY = 0o1000;

/** What the system says of files, as this account sees them. */
export interface Rights {
  /** Undefined where rights are in access lists that Node does not show: on Windows. */
  readonly account: number | undefined;
  stat(path: string): { readonly uid: number; readonly mode: number };
  isWritable(path: string): boolean;
  /** The path without links. */
  real(path: string): string;
}

const system: Rights = {
  account: process.platform === "win32" ? undefined : process.getuid?.(),
  stat: statSync,
  real: realpathSync,
  isWritable(path) {
    try {
      accessSync(path, constants.W_OK);
      return true;
    } catch {
      return false;
    }
  },
};

/**
 * True when this account can write the file or folder, could give itself that right, or can put another one in its place:
 * whoever may rename a folder above it can. Root can always. Undefined where it cannot be told.
 */
export function isChangeable(path: string, rights: Rights = system): boolean | undefined {
  const { account } = rights;
  if (account === undefined) return undefined;
  if (account === 0) return true;
  const isOwn = (each: string): boolean => rights.stat(each).uid === account;
  // In a sticky folder of somebody else only an entry's owner can rename or remove it.
  const canReplaceIn = (folder: string): boolean =>
    isOwn(folder) || (rights.isWritable(folder) && (rights.stat(folder).mode & STICKY) === 0);
  // A link can be replaced where it stands, and what it leads to where that stands.
  return [resolve(path), rights.real(path)].some(
    (each) => isOwn(each) || rights.isWritable(each) || ancestorsOf(each).some(canReplaceIn),
  );
}

function ancestorsOf(path: string): readonly string[] {
  const above = dirname(path);
  return above === path ? [] : [above, ...ancestorsOf(above)];
}
