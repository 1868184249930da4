/** A service's command as what names the version that runs: a program that runs cannot be overwritten, and there is no link. Pure. */
import nodePath, { type PlatformPath } from "node:path";
import { version } from "@sallyport/shared/release/version.ts";

export const PROGRAM = "sallyport.exe";

/** The program, in quotes or without, then its arguments. */
const COMMAND = /^(?:"([^"]+)"|(\S.*?\.exe))((?: .*)?)$/i;

interface Command {
  readonly version: string;
  /** With the space before it. */
  readonly rest: string;
}

function read(command: string, versions: string, path: PlatformPath): Command | undefined {
  const [, quoted, bare, rest = ""] = COMMAND.exec(command) ?? [];
  const program = quoted ?? bare ?? "";
  const named = version.safeParse(path.basename(path.dirname(program))).data;
  if (named === undefined) return undefined;
  const same = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase();
  return same(program, path.join(versions, named, PROGRAM)) ? { version: named, rest } : undefined;
}

/** The version whose program it starts; undefined where that lies anywhere else. @param versions the folder of all of them */
export const versionIn = (command: string, versions: string, path: PlatformPath = nodePath): string | undefined =>
  read(command, versions, path)?.version;

/** The same command with another version's program. @throws Error where it is none of this installation */
export function commandWith(command: string, versions: string, to: string, path: PlatformPath = nodePath): string {
  const found = read(command, versions, path);
  if (found === undefined) throw new Error(`the service's command is none of ${versions}: ${command}`);
  return `"${path.join(versions, to, PROGRAM)}"${found.rest}`;
}
