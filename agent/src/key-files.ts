/** Keys are their account's only: a key that somebody else could read is not one any more. */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { ConfigError } from "./config-error.ts";
import type { StatePaths } from "./state.ts";

const OTHERS = 0o077;

/** Whether anybody but its owner may do anything with it. On Windows rights are in access lists that Node does not show. */
export const isOpenToOthers = ({ mode }: { readonly mode: number }): boolean =>
  process.platform !== "win32" && (mode & OTHERS) !== 0;

/**
 * Refuses a `keys/` folder, and files in it, that others can read or write. On Windows the installer sets the rights. @throws ConfigError that names what to do
 */
export function refuseOpenKeys(paths: Pick<StatePaths, "keys">): void {
  if (process.platform === "win32") return;
  const all = [paths.keys, ...readdirSync(paths.keys).map((name) => join(paths.keys, name))];
  const open = all.filter((path) => isOpenToOthers(statSync(path)));
  if (open.length === 0) return;
  throw new ConfigError(
    `others can read or change ${open.join(" and ")}: whoever did has the agent's keys. Enrol again after ` +
      `\`chmod -R go= ${paths.keys}\`, or, where nobody else was on this machine, go on after it`,
  );
}
