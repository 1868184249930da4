/**
 * What the agent's program is made of, run from TypeScript sources. In the bundle `program-bundled.ts` takes this
 * module's place (test/build/agent.ts), in the single executable `program-executable.ts`; beside it only `executor/load.ts` and
 * `sign-in/native.ts` differ between the three.
 */
import { join, resolve } from "node:path";

/** From sources an executor reads its modules and their dependencies as it needs them. */
const ROOT = resolve(import.meta.dirname, "../..");
const FOLDERS = ["agent", "shared", "node_modules"].map((name) => join(ROOT, name));

/** What an executor's process starts with. */
export const EXECUTOR_MODULE: string = join(import.meta.dirname, "executor/main.ts");

/** What a sign-in child's process starts with. */
export const SIGN_IN_MODULE: string = join(import.meta.dirname, "sign-in/main.ts");

/** What an executor may read. Not the root itself: an agent's state, with its keys, may lie below it. */
export const READABLE: readonly string[] = [...FOLDERS, join(ROOT, "package.json")];

/** The same, and Node itself, in which the FFI looks for the kind of C library. */
export const READABLE_BY_SIGN_IN: readonly string[] = [...READABLE, process.execPath];

/** Files and folders that the account which runs the agent must not be able to change. */
export const programFiles = (): readonly string[] => [import.meta.filename, ...FOLDERS];

/** From sources modules are found one by one, also after the warm-up, so the right to read stays. */
export function dropReading(): void {}

/** How flags of Node's own are given to a process that runs this program. */
export const nodeArguments = (flags: readonly string[]): readonly string[] => flags;

/** What stands before the verb where this command line is started once more. */
export const commandLine = (): readonly string[] => process.argv.slice(1, 2);
