/** Which packages the agent can come to load: its sources' imports, and theirs, followed file by file. */
import { existsSync, readFileSync } from "node:fs";
import { createRequire, findPackageJSON, isBuiltin } from "node:module";
import { dirname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { importsOf, isTest, readSources } from "../rules/source.ts";
import { ROOT } from "./site.ts";

/** Names with versions, sorted: our own workspaces are not counted. */
export function reachablePackages(): string[] {
  const packages = new Set<string>();
  const seen = new Set<string>();
  const waiting = readSources()
    .filter((source) => source.path.startsWith("agent/src/") && !isTest(source))
    .map(({ path }) => resolve(ROOT, path));
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (seen.has(file)) continue;
    seen.add(file);
    if (file.includes("/node_modules/")) packages.add(packageOf(file));
    const text = readFileSync(file, "utf8");
    for (const name of importsOf(withoutTypes(text))) {
      const target = resolveFrom(file, name);
      if (target !== undefined && /\.[cm]?[jt]s$/.test(target)) waiting.push(target);
    }
  }
  return [...packages].sort();
}

/** `import type` and `export type` load nothing. */
const withoutTypes = (text: string): string => text.replace(/^(import|export) type [^;]*;/gm, "");

function packageOf(file: string): string {
  // A folder's own package.json may hold no more than `"type"`: the package is the one with a name.
  for (let folder = dirname(file); ; folder = dirname(folder)) {
    const path = resolve(folder, "package.json");
    if (!existsSync(path)) continue;
    const { name, version } = JSON.parse(readFileSync(path, "utf8")) as { name?: string; version?: string };
    if (name !== undefined && version !== undefined) return `${name}@${version}`;
  }
}

/** The file that a name means there; undefined for what is built in, optional and not installed, or no name at all. */
function resolveFrom(file: string, name: string): string | undefined {
  if (isBuiltin(name) || name === "") return undefined;
  try {
    return createRequire(file).resolve(name);
  } catch {
    return resolveEsm(file, name);
  }
}

/** For packages that `require` cannot name: the entry that their own package.json gives to `import`. */
function resolveEsm(file: string, name: string): string | undefined {
  if (name.startsWith(".")) return undefined;
  try {
    const path = findPackageJSON(name, pathToFileURL(file));
    if (path === undefined) return undefined;
    return resolve(dirname(path), new URL(import.meta.resolve(name, pathToFileURL(file).href)).pathname);
  } catch {
    return undefined;
  }
}
