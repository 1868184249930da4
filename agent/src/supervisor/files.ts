/** Whether this process could change a file: the policy and the program must belong to somebody else. */
import { accessSync, constants, statSync } from "node:fs";
import { dirname } from "node:path";

const STICKY = 0o1000;

/**
 * True when this account can write the file, could give itself that right, or can put another one in its place. Root can
 * always. On Windows rights are in access lists that Node does not show: undefined.
 */
export function isChangeable(path: string, platform: NodeJS.Platform = process.platform): boolean | undefined {
  if (platform === "win32") return undefined;
  const me = process.getuid?.();
  const file = statSync(path);
  if (me === 0 || file.uid === me || isWritable(path)) return true;
  const folder = statSync(dirname(path));
  if (folder.uid === me) return true;
  // In a sticky folder of somebody else only a file's owner can rename or remove it.
  return isWritable(dirname(path)) && (folder.mode & STICKY) === 0;
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
