/**
 * How the executor's code is loaded in the bundle: one script, and beside it what V8 made of it when the bundle was built.
 * Every session has a process of its own, and parsing the driver anew took half of what it costs to start one.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname } from "node:path";
import vm from "node:vm";
import { CODE_CACHE, EXECUTOR_SCRIPT } from "../program-bundled.ts";

type Exports = typeof import("./script.ts");
type Script = (exports: object, require: NodeJS.Require, module: { exports: object }, folder: string) => void;

/** Compiles the script, from the cache where this Node takes it (vm.Script, `cachedData`): it is the same either way. */
export async function loadScript(): Promise<Exports> {
  const cachedData = readCache();
  const script = new vm.Script(readFileSync(EXECUTOR_SCRIPT, "utf8"), {
    // Not the whole path: the compiled code would keep the one that it was built in.
    filename: basename(EXECUTOR_SCRIPT),
    ...(cachedData === undefined ? {} : { cachedData }),
  });
  const module = { exports: {} };
  const run = script.runInThisContext() as Script;
  run(module.exports, createRequire(EXECUTOR_SCRIPT), module, dirname(EXECUTOR_SCRIPT));
  return module.exports as Exports;
}

/** Another Node than the one that built it finds none, and V8 refuses one that is not its own. */
function readCache(): Buffer | undefined {
  try {
    return readFileSync(CODE_CACHE);
  } catch {
    return undefined;
  }
}
