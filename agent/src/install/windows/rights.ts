/**
 * Whose an installation's files are on Windows (docs/hardening.md): what decides is administrators' and readable by the service,
 * what the service writes it may change. The service is named by its own SID, which it has under any account: so a change of the
 * account changes no file, and no other service of the same account reads ours.
 */
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { StatePaths } from "../../state.ts";
import { SERVICE } from "./layout.ts";
import { type Ace, type Acl, maskFor, parseSddl, RIGHTS, sddlOf } from "./sddl.ts";
import { ADMINISTRATORS_SID, SYSTEM_SID, serviceSid } from "./sid.ts";

export const SERVICE_SID = serviceSid(SERVICE);

/** What of Windows this needs; `security.ts` has it. */
export interface AccessLists {
  readSddl(path: string): string;
  writeSddl(path: string, sddl: string): void;
}

/** A file or folder, and what the service may there. */
export interface Due {
  readonly path: string;
  readonly mask: number;
}

/** The list of everything below: the system's and administrators' in full, the service's as due, nobody's else. */
export function dueSddl(mask: number): string {
  const inherit = "OICI" as const;
  const full = [SYSTEM_SID, ADMINISTRATORS_SID].map((sid): Ace => ({ sid, mask: RIGHTS.all, inherit }));
  return sddlOf([...full, { sid: SERVICE_SID, mask, inherit }]);
}

/**
 * Everything that is there, folders before what is in them.
 * @param data the folder above both, where it is ours
 */
export function* duesOf(paths: StatePaths, data?: string): Generator<Due> {
  const { read, change } = RIGHTS;
  if (data !== undefined) yield* there(data, read);
  if (paths.configuration !== paths.root) yield* withFiles(paths.configuration, read);
  yield* withFiles(paths.root, change);
  if (paths.configuration === paths.root) for (const path of [paths.config, paths.policy]) yield* there(path, read);
  yield* withFiles(paths.control, read);
  for (const name of ["keys", "journal", "run", "update", "logs"]) yield* withFiles(join(paths.root, name), change);
}

function* there(path: string, mask: number): Generator<Due> {
  if (entriesOf(path) !== undefined) yield { path, mask };
}

function* withFiles(folder: string, mask: number): Generator<Due> {
  const entries = entriesOf(folder);
  if (entries === undefined) return;
  yield { path: folder, mask };
  for (const entry of entries) if (!entry.isDirectory()) yield { path: join(folder, entry.name), mask };
}

/** None of a file; undefined where there is nothing. */
function entriesOf(path: string) {
  try {
    return readdirSync(path, { withFileTypes: true });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return undefined;
    if (code === "ENOTDIR") return [];
    throw error;
  }
}

/** What is otherwise than due, one sentence each. */
export const rightsFaults = (dues: Iterable<Due>, lists: Pick<AccessLists, "readSddl">): readonly string[] =>
  [...dues].flatMap(({ path, mask }) => {
    const wrong = wrongIn(parseSddl(lists.readSddl(path)), mask);
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
  const found = maskFor(acl, SERVICE_SID);
  if ((found & ~mask) !== 0) return "the service may do more than it should";
  if ((mask & ~found) !== 0) return "the service may do less than it has to";
  const isOwners = [SYSTEM_SID, ADMINISTRATORS_SID].every((sid) => (RIGHTS.all & ~maskFor(acl, sid)) === 0);
  return isOwners ? undefined : "the system or administrators may not do everything";
}

const isKnown = (sid: string): boolean => [SYSTEM_SID, ADMINISTRATORS_SID, SERVICE_SID].includes(sid);

/** Gives everything its owner and its list; while the service does not run. @throws WindowsError, Error for a link */
export function settleRights(dues: Iterable<Due>, lists: Pick<AccessLists, "writeSddl">): void {
  for (const { path, mask } of dues) lists.writeSddl(path, dueSddl(mask));
}
