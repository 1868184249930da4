/**
 * Whose an installation's files are on Windows (docs/hardening.md): what decides is administrators' and readable by the service,
 * what the service writes it may change. The service is named by its own SID, which it has under any account: so a change of the
 * account changes no file, and no other service of the same account reads ours.
 */
import { lstatSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { StatePaths } from "../../state.ts";
import { SERVICE } from "./layout.ts";
import { type Ace, type Acl, maskFor, parseSddl, RIGHTS, sddlOf } from "./sddl.ts";
import { ADMINISTRATORS_SID, OWNER_RIGHTS_SID, SYSTEM_SID, serviceSid } from "./sid.ts";

export const SERVICE_SID = serviceSid(SERVICE);

/** What of Windows this needs; `security.ts` has it. */
export interface AccessLists {
  readSddl(path: string): string;
  writeSddl(path: string, sddl: string): void;
  /** Makes a folder that has its list from its first moment; false where something of that name is there. */
  makeFolder(path: string, sddl: string): boolean;
}

/** A file or folder, and what the service may there. */
export interface Due {
  readonly path: string;
  readonly mask: number;
  /** It may lead to what is somebody else's. */
  readonly isLink?: boolean;
}

/** READ_CONTROL: to look at the list. */
const LOOK = 0x20000;

/**
 * The list of everything below: the system's and administrators' in full, the service's as due, nobody's else. Whoever owns a file
 * has no say by that alone: what the service makes belongs to its account, which other services may share.
 */
export function dueSddl(mask: number): string {
  const inherit = "OICI" as const;
  const full = [SYSTEM_SID, ADMINISTRATORS_SID].map((sid): Ace => ({ sid, mask: RIGHTS.all, inherit }));
  return sddlOf([...full, { sid: SERVICE_SID, mask, inherit }, { sid: OWNER_RIGHTS_SID, mask: LOOK, inherit }]);
}

/**
 * Everything that is there, folders before what is in them; no link is followed.
 * @param data the folder above both, where it is ours
 */
export function* duesOf(paths: StatePaths, data?: string): Generator<Due> {
  const { read, change } = RIGHTS;
  const isOne = paths.configuration === paths.root;
  if (data !== undefined) yield* there(data, read);
  if (!isOne) yield* tree(paths.configuration, read);
  yield* tree(paths.root, change, [paths.control, ...(isOne ? [paths.config, paths.policy] : [])]);
  if (isOne) for (const path of [paths.config, paths.policy]) yield* there(path, read);
  yield* tree(paths.control, read);
}

function* there(path: string, mask: number): Generator<Due> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found !== undefined) yield { path, mask, isLink: found.isSymbolicLink() };
}

/** @param others what is due otherwise, with all below it */
function* tree(folder: string, mask: number, others: readonly string[] = []): Generator<Due> {
  for (const due of there(folder, mask)) {
    yield due;
    if (due.isLink) return;
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
      const path = join(folder, entry.name);
      if (others.includes(path)) continue;
      // A junction counts as a link, as Node sees it.
      if (entry.isDirectory()) yield* tree(path, mask, others);
      else yield { path, mask, isLink: entry.isSymbolicLink() };
    }
  }
}

/** What is otherwise than due, one sentence each. */
export const rightsFaults = (dues: Iterable<Due>, lists: Pick<AccessLists, "readSddl">): readonly string[] =>
  [...dues].flatMap(({ path, mask, isLink }) => {
    const wrong = isLink
      ? "is a link, which may lead anywhere: remove it"
      : wrongIn(parseSddl(lists.readSddl(path)), mask);
    return wrong === undefined ? [] : [`${path}: ${wrong}`];
  });

/** Who may own a file: an owner may always rewrite its list. The service does with what it made itself. */
function wrongIn(acl: Acl, mask: number): string | undefined {
  const owners =
    mask === RIGHTS.read ? [SYSTEM_SID, ADMINISTRATORS_SID] : [SYSTEM_SID, ADMINISTRATORS_SID, SERVICE_SID];
  // What a service of another account made belongs to that account, which without our SID could do no more than this.
  if (mask === RIGHTS.read && !owners.includes(acl.owner)) return `belongs to ${acl.owner}, who can give away rights`;
  const strangers = acl.aces.filter(({ sid, mask: given }) => given !== 0 && !isKnown(sid)).map(({ sid }) => sid);
  if (strangers.length > 0) return `open to ${[...new Set(strangers)].join(", ")}`;
  if ((maskFor(acl, OWNER_RIGHTS_SID) & ~LOOK) !== 0) return "whoever owns it may do more than look at its list";
  const found = maskFor(acl, SERVICE_SID);
  if ((found & ~mask) !== 0) return "the service may do more than it should";
  if ((mask & ~found) !== 0) return "the service may do less than it has to";
  const isOwners = [SYSTEM_SID, ADMINISTRATORS_SID].every((sid) => (RIGHTS.all & ~maskFor(acl, sid)) === 0);
  return isOwners ? undefined : "the system or administrators may not do everything";
}

const KNOWN: readonly string[] = [SYSTEM_SID, ADMINISTRATORS_SID, SERVICE_SID, OWNER_RIGHTS_SID];
export const isKnown = (sid: string): boolean => KNOWN.includes(sid);

/** Gives everything its owner and its list; while the service does not run. @throws WindowsError, Error for a link */
export function settleRights(dues: Iterable<Due>, lists: Pick<AccessLists, "writeSddl">): void {
  for (const { path, mask } of dues) lists.writeSddl(path, dueSddl(mask));
}
