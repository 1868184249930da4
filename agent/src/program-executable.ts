/**
 * What the agent's program is made of as a single executable: that one file, which holds Node and everything that it runs
 * (https://nodejs.org/docs/latest-v24.x/api/single-executable-applications.html), and the native code beside it.
 */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

/** No verbs: what the executable is told to be instead of the command line. */
export const EXECUTOR_MODULE = "@executor";
export const SIGN_IN_MODULE = "@sign-in";

/** The FFI's binary. It is never unpacked: where it is missing, nobody signs in by Kerberos. */
export const NATIVE_FILE: string = join(dirname(process.execPath), "koffi.node");

/** Nothing: what an executor runs is mapped with the executable. Node itself lets each process read the file that it was started from. */
export const READABLE: readonly string[] = [];
export const READABLE_BY_SIGN_IN: readonly string[] = [NATIVE_FILE];
export const programFiles = (): readonly string[] => [
  process.execPath,
  ...(existsSync(NATIVE_FILE) ? [NATIVE_FILE] : []),
];

/** After it not even the executable's own file can be opened. */
export function dropReading(): void {
  // The types of Node 24 do not know it yet.
  (process.permission as { drop?(scope: "fs.read"): void } | undefined)?.drop?.("fs.read");
}

/**
 * The executable's Node takes no flags: given as such they would be arguments of ours, and confine nothing. It was built to take
 * them in one argument (`execArgvExtension: "cli"`), which it reads as it would read NODE_OPTIONS: that variable it ignores.
 */
export const nodeArguments = (flags: readonly string[]): readonly string[] =>
  flags.length === 0 ? [] : [`--node-options=${flags.map(quoted).join(" ")}`];

/** Between quotes a backslash takes the next character as it is. */
const quoted = (flag: string): string =>
  /[\s"]/.test(flag) ? `"${flag.replaceAll(/["\\]/g, (character) => `\\${character}`)}"` : flag;

/** What stands before the verb where this command line is started once more. */
export const commandLine = (): readonly string[] => [];
