/** Access lists as processes look at them that load no FFI (native-child.ts): who gets at keys, and whether an installation is closed. */
import { windowsFolders } from "../../config.ts";
import { ConfigError } from "../../config-error.ts";
import type { StatePaths } from "../../state.ts";
import { type Ask, askNative } from "./native-child.ts";
import { duesOf, rightsFaults, SERVICE_SID } from "./rights.ts";
import { parseSddl } from "./sddl.ts";
import { ADMINISTRATORS_SID, OWNER_RIGHTS_SID, SYSTEM_SID } from "./sid.ts";

/** CREATOR OWNER, and the owner's rights: nobody but the owner, who is known by name. */
const OWNERS = ["S-1-3-0", OWNER_RIGHTS_SID];

/** Each path with its list. @throws ConfigError where Windows cannot be asked */
export function listsOf(paths: readonly string[], ask: Ask): ReadonlyMap<string, string> {
  const answer = ask({ ask: "lists", paths: [...paths] });
  if (!("lists" in answer) || answer.lists.length !== paths.length)
    throw new ConfigError("Windows gave no access lists");
  return new Map(paths.map((path, index) => [path, answer.lists[index] ?? ""]));
}

/** Those files that anybody else gets at than their owner, the system, administrators and the service. @throws ConfigError, Error */
export function openToStrangers(paths: readonly string[], ask: Ask = askNative): readonly string[] {
  const known = [SYSTEM_SID, ADMINISTRATORS_SID, SERVICE_SID, ...OWNERS];
  return [...listsOf(paths, ask)].flatMap(([path, sddl]) => {
    const { aces, owner } = parseSddl(sddl);
    return aces.some(({ sid, mask }) => mask !== 0 && sid !== owner && !known.includes(sid)) ? [path] : [];
  });
}

/** What is otherwise than `service install` leaves it; undefined where the agent's folder is none of an installation. @throws ConfigError */
export function installationFaults(
  paths: StatePaths,
  ask: Ask = askNative,
  layout = windowsFolders(),
): readonly string[] | undefined {
  if (paths.root !== layout.state) return undefined;
  const dues = [...duesOf(paths, layout.data)];
  const lists = listsOf(
    dues.map(({ path }) => path),
    ask,
  );
  return rightsFaults(dues, { readSddl: (path) => lists.get(path) ?? "" });
}
