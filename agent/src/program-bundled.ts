/** What the agent's program is made of as a bundle: the files of one folder, which holds nothing else. */
import { readdirSync } from "node:fs";
import { join } from "node:path";

const FOLDER = import.meta.dirname;

export const EXECUTOR_MODULE: string = join(FOLDER, "executor.cjs");
export const SIGN_IN_MODULE: string = join(FOLDER, "sign-in.mjs");
/** All that an executor runs, once it is sure that it is confined. */
export const EXECUTOR_SCRIPT: string = join(FOLDER, "serve.js");
/** Bytecode depends on all three; V8 checks the rest. */
export const CODE_CACHE: string = join(FOLDER, `serve-${process.version}-${process.platform}-${process.arch}.cache`);
export const READABLE: readonly string[] = [FOLDER];
export const READABLE_BY_SIGN_IN: readonly string[] = READABLE;
export const programFiles = (): readonly string[] => [FOLDER, ...readdirSync(FOLDER).map((name) => join(FOLDER, name))];

/** Everything is loaded: from now on this process opens no file at all. */
export function dropReading(): void {
  // The types of Node 24 do not know it yet.
  (process.permission as { drop?(scope: "fs.read"): void } | undefined)?.drop?.("fs.read");
}

/** How flags of Node's own are given to a process that runs this program. */
export const nodeArguments = (flags: readonly string[]): readonly string[] => flags;

/** What stands before the verb where this command line is started once more. */
export const commandLine = (): readonly string[] => process.argv.slice(1, 2);
