/** What is to be read, and what has gone: by DirSync, else by update sequence numbers, else everything, and why. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { Filter } from "ldapts";
import { isWithin, withinOf } from "../../../place.ts";
import type { Directory } from "../root-dse.ts";
import { formerPlaces, seesDeletions } from "./deleted.ts";
import { type DirSynced, dirSync } from "./dir-sync.ts";
import { changedSince, guidsOf, numbersShown, updateNumbers } from "./usn.ts";
import type { UpdateNumbers, Watermark } from "./watermark.ts";

/** Why a run did not read as it was asked to. */
export type Why = "dirSyncRefused" | "cookieLost" | "otherBase" | "otherController" | "olderController";

export interface Found {
  /**
   * `first`: there was no run before. `delta`: what changed. `reconcile`: the same, and every object that is there. `full`:
   * every object anew, because what changed can no longer be told.
   */
  readonly kind: "first" | "delta" | "reconcile" | "full";
  readonly why: Why | undefined;
  /** GUIDs of what stands under the base with other values than before; undefined for everything. */
  readonly changed: ReadonlySet<string> | undefined;
  /** GUIDs of what was deleted or moved away, as far as the directory says so; none where all that is there was listed. */
  readonly gone: ReadonlySet<string>;
  /** GUIDs of what is elsewhere, and may have been told as here for a while: named as gone, and not counted. */
  readonly passed: ReadonlySet<string>;
  /** GUIDs of all that is there, where they were listed. */
  readonly present: ReadonlySet<string> | undefined;
  /** Where the next run begins. */
  readonly next: Watermark;
}

export interface Finding {
  readonly directory: Directory;
  readonly base: string;
  /** Of the classes. */
  readonly filter: Filter;
  readonly attributes: readonly string[];
  readonly place: string;
  readonly by: "dirSync" | "usn";
  readonly since: Watermark | undefined;
  /** List what is there even where the login sees deletions. */
  readonly reconcile: boolean;
}

const NONE: ReadonlySet<string> = new Set();

/** @throws SallyportError */
export async function findChanges(finding: Finding): Promise<Found> {
  const { since, place } = finding;
  if (since !== undefined && since.place !== place) return everything(finding, "full", "otherBase");
  const by = since?.by ?? finding.by;
  if (since === undefined) return everything(finding, "first", undefined);
  return by === "dirSync" && since.by === "dirSync" ? synced(finding, since) : numbered(finding, since);
}

/** The watermark is taken before anything is read: what changes meanwhile comes again. */
async function everything(finding: Finding, kind: "first" | "full", why: Why | undefined): Promise<Found> {
  const { place, directory, base, filter } = finding;
  const isAsked = finding.by === "dirSync" && finding.since?.by !== "usn";
  const giver = await numbersShown(directory.connection);
  const start = isAsked
    ? await syncedOrRefused({ ...finding, attributes: ["objectGUID"] }, Buffer.alloc(0))
    : undefined;
  const numbers = start === undefined ? await numbersNow(finding) : undefined;
  const present = await guidsOf(directory.connection, base, filter);
  const objects = present.size;
  const next: Watermark =
    start === undefined
      ? { ...numbers!, objects }
      : { by: "dirSync", place, cookie: start.cookie, objects, giver, readAll: true };
  const reason = why ?? (isAsked && start === undefined ? "dirSyncRefused" : undefined);
  return { kind, why: reason, changed: undefined, gone: NONE, passed: NONE, present, next };
}

async function numbersNow({ directory, place }: Finding): Promise<Omit<Watermark & { by: "usn" }, "objects">> {
  return { by: "usn", place, ...(await updateNumbers(directory.connection)) };
}

/**
 * Why what was told by `before` says nothing to `now`. Any controller of the domain takes a cookie, but what one that was
 * restored has forgotten, or another domain's never had, it does not tell as gone (measured: Samba says that nothing changed).
 */
function replaced(before: UpdateNumbers, now: UpdateNumbers): Why | undefined {
  if (now.invocation !== before.invocation) return "otherController";
  return now.usn < before.usn ? "olderController" : undefined;
}

/** Of a control that is not served (12), a base that it does not take (53), or a right (50): by update numbers instead. */
const REFUSALS: readonly unknown[] = [12, 50, 53];
const isRefusal = (error: unknown): boolean =>
  error instanceof SallyportError && REFUSALS.includes(error.detail.number);

async function syncedOrRefused(finding: Finding, cookie: Buffer): Promise<DirSynced | undefined> {
  const { directory, base, filter, attributes } = finding;
  const contexts = directory.root.namingContexts.filter((context) => isWithin(base, context));
  const root = contexts.sort((a, b) => b.length - a.length)[0] ?? directory.root.domain;
  try {
    return await dirSync(directory.connection, root, { filter, attributes, cookie });
  } catch (error) {
    if (isRefusal(error)) return undefined;
    throw error;
  }
}

async function synced(finding: Finding, since: Watermark & { by: "dirSync" }): Promise<Found> {
  const { directory, base, filter, place } = finding;
  const giver = await numbersShown(directory.connection);
  // One that showed who it is and does not any more may be another.
  const why = since.giver && (giver === undefined ? "otherController" : replaced(since.giver, giver));
  if (why !== undefined) return everything(finding, "full", why);
  const delta = await syncedOrRefused(finding, since.cookie);
  if (delta === undefined) return everything(finding, "full", "cookieLost");
  // Where all that is there is listed, nothing need be asked about each deletion.
  const told = finding.reconcile ? undefined : await sortOut(finding, since, delta);
  const isBlind = told === undefined;
  const present = isBlind ? await guidsOf(directory.connection, base, filter) : undefined;
  const objects = present?.size ?? since.objects;
  const next: Watermark = { by: "dirSync", place, cookie: delta.cookie, objects, giver, readAll: false };
  const changed = changedHere(finding, delta);
  const [gone, passed] = isBlind ? [NONE, NONE] : [told.gone, told.passed];
  return { kind: isBlind ? "reconcile" : "delta", why: undefined, changed, gone, passed, present, next };
}

const changedHere = ({ base }: Finding, { touched }: DirSynced): ReadonlySet<string> => {
  const isHere = withinOf(base);
  return new Set([...touched].flatMap(([guid, { dn, isDeleted }]) => (!isDeleted && isHere(dn) ? [guid] : [])));
};

/** What is not here any more; undefined where the directory does not tell all of that. */
async function sortOut(
  finding: Finding,
  { readAll }: Watermark & { by: "dirSync" },
  delta: DirSynced,
): Promise<Pick<Found, "gone" | "passed"> | undefined> {
  const { directory, base } = finding;
  if (!(await seesDeletions(directory.connection, directory.root.domain))) return undefined;
  const isHere = withinOf(base);
  const formerPlace = formerPlaces(directory.connection);
  const gone = new Set<string>();
  const passed = new Set<string>();
  for (const [guid, { dn, isDeleted, isRenamed, isNew, lastParent }] of delta.touched) {
    if (isDeleted) {
      const place = await formerPlace(guid, lastParent);
      if (place === undefined) return undefined;
      if (isHere(place)) gone.add(guid);
      continue;
    }
    // Elsewhere, and under another name than before: it may have been moved away from here. What was only made there was not.
    if (isHere(dn) || !isRenamed) continue;
    if (!isNew) gone.add(guid);
    else if (readAll) passed.add(guid);
  }
  return { gone, passed };
}

/** Update numbers tell nothing of what was deleted or moved away, so what is there is always listed. */
async function numbered(finding: Finding, since: Watermark): Promise<Found> {
  if (since.by !== "usn") return everything(finding, "full", "cookieLost");
  const { directory, base, filter } = finding;
  const now = await numbersNow(finding);
  const why = replaced(since, now);
  if (why !== undefined) return everything(finding, "full", why);
  const changed = await changedSince(directory.connection, base, filter, since.usn);
  const present = await guidsOf(directory.connection, base, filter);
  return {
    kind: "reconcile",
    why: undefined,
    changed,
    gone: NONE,
    passed: NONE,
    present,
    next: { ...now, objects: present.size },
  };
}
