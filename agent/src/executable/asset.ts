/** Scripts that the single executable holds (`assets` of its configuration, test/build/executable.ts). */
import { dirname } from "node:path";
import { getAsset, getAssetKeys, getRawAsset } from "node:sea";
import { runScript } from "../run-script.ts";

/** Runs it, with what V8 compiled of it at the build where there is that; answers what it exports. */
export function runAsset(name: string): object {
  const cache = name.replace(/\.js$/, ".cache");
  return runScript(getAsset(name, "utf8"), {
    filename: name,
    folder: dirname(process.execPath),
    require: requireBuiltin,
    // Not copied: V8 only reads it.
    cachedData: getAssetKeys().includes(cache) ? Buffer.from(getRawAsset(cache) as ArrayBuffer) : undefined,
  });
}

/** Node's own modules and no others: what lies in a folder near the executable is not part of the program. */
function requireBuiltin(name: string): unknown {
  const found: unknown = process.getBuiltinModule(name);
  if (found === undefined) throw new Error(`${name} is no module of Node's`);
  return found;
}
