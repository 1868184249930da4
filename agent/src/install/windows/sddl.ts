/**
 * Access lists in Windows' own notation (MS-DTYP 2.5.1, "SDDL"): how ours are written, and how those that are found are read.
 * What is not understood counts as a right that nobody gave.
 */
import { ADMINISTRATORS_SID, SYSTEM_SID } from "./sid.ts";

/** MS-DTYP 2.4.3, and the file rights of MS-FSCC as one mask each. */
export const RIGHTS = {
  all: 0x1f01ff,
  /** Read, list, traverse; also the attributes and the list itself. */
  read: 0x1200a9,
  /** That, and to make, change, rename and delete it; neither its list nor its owner, nor what is in a folder regardless of theirs. */
  change: 0x1301bf,
} as const;

/** For whom, and what; `inherited` says by what in the folder. */
export interface Ace {
  readonly sid: string;
  readonly mask: number;
  /** `OI` files, `CI` folders, `IO` not the folder itself; empty: it alone. */
  readonly inherit: "" | "OICI" | "OIIO";
}

export interface Acl {
  readonly aces: readonly Ace[];
  /** False where it takes over what its folder gives. */
  readonly isProtected: boolean;
  readonly owner: string;
}

/** Protected from what lies above, and Administrators': so whoever made the file has no say in it any more. */
export const sddlOf = (aces: readonly Ace[]): string =>
  `O:BAD:PAI${aces.map(({ sid, mask, inherit }) => `(A;${inherit};0x${mask.toString(16)};;;${sid})`).join("")}`;

/** Names of rights and accounts that Windows writes instead of numbers, as far as lists of files have them. */
const NAMED_RIGHTS: Readonly<Record<string, number>> = {
  FA: RIGHTS.all,
  FR: 0x120089,
  FW: 0x120116,
  FX: 0x1200a0,
  GA: 0x10000000,
  GR: 0x80000000,
  GW: 0x40000000,
  GX: 0x20000000,
  RC: 0x20000,
  SD: 0x10000,
  WD: 0x40000,
  WO: 0x80000,
  CC: 0x1,
  DC: 0x2,
  LC: 0x4,
  SW: 0x8,
  RP: 0x10,
  WP: 0x20,
  DT: 0x40,
  LO: 0x80,
  CR: 0x100,
};
const NAMED_SIDS: Readonly<Record<string, string>> = {
  SY: SYSTEM_SID,
  BA: ADMINISTRATORS_SID,
  BU: "S-1-5-32-545",
  WD: "S-1-1-0",
  AU: "S-1-5-11",
  CO: "S-1-3-0",
  OW: "S-1-3-4",
  LS: "S-1-5-19",
  NS: "S-1-5-20",
  IU: "S-1-5-4",
};

const EVERYTHING = 0xffffffff;

function maskOf(text: string): number {
  if (/^0x[0-9a-f]+$/i.test(text)) return Number.parseInt(text, 16);
  const parts = text.match(/../g) ?? [];
  if (parts.join("") !== text || parts.length === 0) return EVERYTHING;
  return parts.reduce((mask, part) => (mask | (NAMED_RIGHTS[part] ?? EVERYTHING)) >>> 0, 0);
}

const sidOf = (text: string): string => NAMED_SIDS[text] ?? text;

/** One allowing entry; a denying one takes rights away, and none of ours does. */
const ENTRY = /\(([^;()]*);([^;()]*);([^;()]*);([^;()]*);([^;()]*);([^()]*)\)/g;

/**
 * What a list gives to whom. @throws Error where it is no list: without one (`NO_ACCESS_CONTROL`) everybody may do everything
 */
export function parseSddl(text: string): Acl {
  const [, owner = "", flags, entries] =
    /^(?:O:([A-Z]{2}|S-[0-9-]+))?(?:G:(?:[A-Z]{2}|S-[0-9-]+))?D:([A-Z]*?)((?:\(.*\))?)$/.exec(text) ?? [];
  if (flags === undefined || entries === undefined || /NO_ACCESS/.test(text))
    throw new Error(`not an access list: ${text}`);
  const found = [...entries.matchAll(ENTRY)];
  if (found.map(([whole]) => whole).join("") !== entries) throw new Error(`not an access list: ${text}`);
  const aces = found
    .filter(([, type]) => type !== "D")
    .map(([, , given = "", rights = "", , , sid = ""]): Ace => {
      const inherit = given.includes("IO") ? "OIIO" : given.includes("OI") || given.includes("CI") ? "OICI" : "";
      return { sid: sidOf(sid), mask: maskOf(rights), inherit };
    });
  return { aces, isProtected: flags.includes("P"), owner: sidOf(owner) };
}

/** Rights of one account over the file or folder itself; entries that only what is in it inherits do not count. */
export const maskFor = ({ aces }: Acl, sid: string): number =>
  aces.filter((ace) => ace.sid === sid && ace.inherit !== "OIIO").reduce((mask, ace) => (mask | ace.mask) >>> 0, 0);
