/**
 * The folder above all that an installation keeps on Windows. In ProgramData anybody may make folders: so ours is made with its list,
 * and one that is there already is taken only where nobody else had a say in it. What somebody planted would be policy, or their keys.
 */
import { lstatSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { windowsFolders } from "../../config.ts";
import { ConfigError } from "../../config-error.ts";
import type { StatePaths } from "../../state.ts";
import { type Ask, askNative } from "./native-child.ts";
import { type AccessLists, dueSddl, isKnown } from "./rights.ts";
import { type Ace, parseSddl, RIGHTS, sddlOf } from "./sddl.ts";
import { ADMINISTRATORS_SID, OWNER_RIGHTS_SID, SYSTEM_SID } from "./sid.ts";

type Folders = Pick<AccessLists, "readSddl" | "makeFolder">;

const isLinkNow = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true;

/** Why a folder that is there is not to be believed; undefined where it is closed to all but whom it should be open to. */
export function dataFault(path: string, lists: Pick<AccessLists, "readSddl">, isLink = isLinkNow): string | undefined {
  if (isLink(path)) return "is a link";
  const { owner, isProtected, aces } = parseSddl(lists.readSddl(path));
  if (![SYSTEM_SID, ADMINISTRATORS_SID].includes(owner)) return `belongs to ${owner}`;
  if (!isProtected) return "takes over who may write in the folder above";
  const strangers = aces.filter(({ sid, mask }) => mask !== 0 && !isKnown(sid)).map(({ sid }) => sid);
  return strangers.length === 0 ? undefined : `is open to ${[...new Set(strangers)].join(", ")}`;
}

/** Makes it, or judges the one that is there. @throws ConfigError, WindowsError */
export function requireDataFolder(path: string, folders: Folders, isLink = isLinkNow): void {
  if (folders.makeFolder(path, dueSddl(RIGHTS.read))) return;
  const fault = dataFault(path, folders, isLink);
  if (fault === undefined) return;
  throw new ConfigError(
    `${path} ${fault}, and was not made by Sallyport: what is in it may be anybody's, a policy or keys. Look who made it, rename it, ` +
      "and repeat this; then take from it what is yours",
  );
}

/** Of an agent that is no installation: its maker's alone, and the system's and administrators'. */
const OWN_SDDL = sddlOf(
  [SYSTEM_SID, ADMINISTRATORS_SID, OWNER_RIGHTS_SID].map((sid): Ace => ({ sid, mask: RIGHTS.all, inherit: "OICI" })),
).replace(/^O:BA/, "");

export interface Machine {
  readonly isWindows: boolean;
  readonly ask: Ask;
  /** ProgramData's folder of an installation, and the state below it. */
  readonly installed: { readonly data: string; readonly state: string };
  readonly isLink: (path: string) => boolean;
}

const thisMachine = (): Machine => ({
  ...{ isWindows: process.platform === "win32", ask: askNative, installed: windowsFolders(), isLink: isLinkNow },
});

/**
 * On Windows, before a verb writes any file below it: an installation's folder is ours, or one of another place is its maker's where it
 * is new. Elsewhere modes do that. @throws ConfigError
 */
export function ensureDataFolder({ root }: Pick<StatePaths, "root">, machine: Machine = thisMachine()): void {
  const { isWindows, ask, installed, isLink } = machine;
  if (!isWindows) return;
  const folders: Folders = {
    readSddl(path) {
      const answer = ask({ ask: "lists", paths: [path] });
      return ("lists" in answer ? answer.lists[0] : undefined) ?? "";
    },
    makeFolder(path, sddl) {
      const answer = ask({ ask: "makeFolder", path, sddl });
      return "isNew" in answer && answer.isNew;
    },
  };
  if (root === installed.state) requireDataFolder(installed.data, folders, isLink);
  else {
    mkdirSync(dirname(root), { recursive: true });
    folders.makeFolder(root, OWN_SDDL);
  }
}
