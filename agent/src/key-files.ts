/** Keys are their account's only: a key that somebody else could read is not one any more. */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { isOpenToOthers } from "@sallyport/shared/closed-file.ts";
import { ConfigError } from "./config-error.ts";
import { askNative } from "./install/windows/native-child.ts";
import { openToStrangers } from "./install/windows/own-lists.ts";
import type { StatePaths } from "./state.ts";

/** Refuses a `keys/` folder, and files in it, that others can read or write. @throws ConfigError that names what to do */
export function refuseOpenKeys(
  paths: Pick<StatePaths, "keys">,
  ask = process.platform === "win32" ? askNative : undefined,
): void {
  const all = [paths.keys, ...readdirSync(paths.keys).map((name) => join(paths.keys, name))];
  const open = ask === undefined ? all.filter((path) => isOpenToOthers(statSync(path))) : openToStrangers(all, ask);
  if (open.length === 0) return;
  const close = ask === undefined ? `chmod -R go= ${paths.keys}` : "sallyport service install";
  throw new ConfigError(
    `others can read or change ${open.join(" and ")}: whoever did has the agent's keys. Enrol again after ` +
      `\`${close}\`, or, where nobody else was on this machine, go on after it`,
  );
}
