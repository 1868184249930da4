/**
 * How the executor's code is loaded in the bundle: one script, and beside it what V8 made of it when the bundle was built.
 * Every session has a process of its own, and parsing the driver anew took half of what it costs to start one.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname } from "node:path";
import { CODE_CACHE, EXECUTOR_SCRIPT } from "../program-bundled.ts";
import { runScript } from "../run-script.ts";

type Exports = typeof import("./script.ts");

export const loadScript = async (): Promise<Exports> =>
  runScript(readFileSync(EXECUTOR_SCRIPT, "utf8"), {
    filename: basename(EXECUTOR_SCRIPT),
    folder: dirname(EXECUTOR_SCRIPT),
    require: createRequire(EXECUTOR_SCRIPT),
    cachedData: readCache(),
  }) as Exports;

/** Another Node than the one that built it finds none, and V8 refuses one that is not its own. */
function readCache(): Buffer | undefined {
  try {
    return readFileSync(CODE_CACHE);
  } catch {
    return undefined;
  }
}
