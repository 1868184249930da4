/** Distinguished names as RFC 4514 writes them, taken apart: text that differs may be one name, and text that begins alike two. */

export interface NamePart {
  /** In upper case, and by its name where it was given as an OID: `OU`, not `2.5.4.11`. */
  readonly type: string;
  readonly value: string;
}
/** One or more parts joined by `+`, in the order of their types. */
export type RelativeName = readonly NamePart[];
/** From the object itself up to the root. */
export type DistinguishedName = readonly RelativeName[];

export const MAX_DN_CHARS = 1024;
const MAX_DEPTH = 64;

/** Other ways to write the types that directories name objects by [RFC 4519]. */
const ALIASES: Readonly<Record<string, string>> = {
  ...{ "2.5.4.3": "CN", COMMONNAME: "CN" },
  ...{ "2.5.4.11": "OU", ORGANIZATIONALUNITNAME: "OU" },
  ...{ "0.9.2342.19200300.100.1.25": "DC", DOMAINCOMPONENT: "DC" },
  ...{ "2.5.4.10": "O", ORGANIZATIONNAME: "O" },
  ...{ "2.5.4.7": "L", LOCALITYNAME: "L" },
  ...{ "2.5.4.6": "C", COUNTRYNAME: "C" },
  ...{ "0.9.2342.19200300.100.1.1": "UID", USERID: "UID" },
};

/**
 * Undefined for what is no name of at least one part: also for the forms that hide what they name (`<GUID=…>`, `#04…`) and
 * for RFC 2253's quotes, which nothing writes any more.
 */
export function parseDn(text: string): DistinguishedName | undefined {
  if (text.length === 0 || text.length > MAX_DN_CHARS || !text.isWellFormed()) return undefined;
  const names: RelativeName[] = [];
  for (const piece of splitAt(text, ",")) {
    const parts = splitAt(piece, "+").map(parsePart);
    if (parts.some((part) => part === undefined)) return undefined;
    names.push((parts as NamePart[]).sort((a, b) => (a.type < b.type ? -1 : 1)));
  }
  return names.length > MAX_DEPTH ? undefined : names;
}

/** An object's own part of its name, as it is written. */
export const firstText = (text: string): string => splitAt(text, ",")[0] ?? "";

/** The name of what this object stands under, as it is written; undefined for a name of one part. */
export function parentText(text: string): string | undefined {
  const [first = ""] = splitAt(text, ",");
  return first.length < text.length ? text.slice(first.length + 1) : undefined;
}

const TYPE = /^(?:[A-Za-z][A-Za-z0-9-]{0,63}|(?:[Oo][Ii][Dd]\.)?[0-9]+(?:\.[0-9]+){1,30})$/;

function parsePart(text: string): NamePart | undefined {
  const equals = text.indexOf("=");
  const type = text.slice(0, Math.max(0, equals)).trim();
  const value = meaningOf(text.slice(equals + 1));
  if (!TYPE.test(type) || value === undefined) return undefined;
  const name = type.toUpperCase().replace(/^OID\./, "");
  return { type: ALIASES[name] ?? name, value };
}

/** At each separator that is not escaped. */
function splitAt(text: string, separator: string): string[] {
  const pieces: string[] = [];
  let start = 0;
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === "\\") at += 1;
    else if (text[at] === separator) {
      pieces.push(text.slice(start, at));
      start = at + 1;
    }
  }
  return [...pieces, text.slice(start)];
}

const SPECIAL = /^[ "#+,;<=>\\]$/;
const HEX = /^[0-9A-Fa-f]{2}$/;
/** What has to be escaped wherever it stands; `=` need not be. */
const BARE = /["+,;<>\p{Cc}]/u;
const decoder = new TextDecoder("utf-8", { fatal: true });

/** The value without its escapes; spaces around it are not of it unless they are escaped. */
function meaningOf(escaped: string): string | undefined {
  const text = escaped.replace(/^ +/, "");
  if (text === "" || text.startsWith("#")) return undefined;
  const bytes: number[] = [];
  let end = 0;
  for (let at = 0; at < text.length; ) {
    const taken = letterAt(text, at);
    if (taken === undefined) return undefined;
    bytes.push(...taken.bytes);
    at += taken.length;
    if (taken.length > 1 || taken.bytes[0] !== 0x20) end = bytes.length;
  }
  try {
    const value = decoder.decode(Uint8Array.from(bytes.slice(0, end)));
    return value.includes("\0") ? undefined : value;
  } catch {
    return undefined;
  }
}

/** What the letter or the escape there stands for, and how much text it is; undefined for what may not stand so. */
function letterAt(
  text: string,
  at: number,
): { readonly bytes: readonly number[]; readonly length: number } | undefined {
  const letter = String.fromCodePoint(text.codePointAt(at) ?? 0);
  if (letter !== "\\")
    return BARE.test(letter) ? undefined : { bytes: [...Buffer.from(letter)], length: letter.length };
  const next = text[at + 1] ?? "";
  if (SPECIAL.test(next)) return { bytes: [...Buffer.from(next)], length: 2 };
  const hex = text.slice(at + 1, at + 3);
  return HEX.test(hex) ? { bytes: [Number.parseInt(hex, 16)], length: 3 } : undefined;
}
