/** Whether a bundle is as new as what it is made of. */
import { globSync, statSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./root.ts";

/** Everything that goes into the bundles, and what makes them. Dependencies change with the lockfile. */
const MADE_OF = [
  "{agent,cloud,shared}/src/**/*.ts",
  "{agent,cloud,shared}/*.json",
  "package-lock.json",
  "test/build/*.ts",
];

/** False where one of the files is missing or older than any source. */
export function isFresh(files: readonly string[]): boolean {
  const made = files.map((file) => statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0);
  const sources = globSync(MADE_OF, { cwd: ROOT }).map((file) => statSync(join(ROOT, file)).mtimeMs);
  return Math.min(...made) > Math.max(...sources);
}
