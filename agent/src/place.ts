/** Where an object stands, by its distinguished name taken apart: strictly where that allows, widely where it denies. */
import { type DistinguishedName, type NamePart, parseDn } from "@sallyport/shared/directory/distinguished-name.ts";
import { sameName } from "./names.ts";

type Same = (a: string, b: string) => boolean;

/** At the base, or below it. What is no name is nowhere. */
export const isWithin = (name: string, base: string): boolean => under(parseDn(name), parseDn(base), sameName);

/** The same for many names and one base, which the directory spells alike nearly always. */
export function withinOf(base: string): (name: string) => boolean {
  const parsed = parseDn(base);
  const ending = `,${base}`;
  return (name) => {
    // A backslash before the comma may make it a letter of the name.
    const isPlain = name.endsWith(ending) && name[name.length - ending.length - 1] !== "\\";
    return isPlain || name === base || under(parseDn(name), parsed, sameName);
  };
}

/**
 * The same, with names taken for one that a directory might: it holds `Stáff` for `Staff`, full-width letters for plain
 * ones, and runs of spaces for one. For denials, so that none is got around by spelling.
 */
export const mayBeWithin = (name: string, base: string): boolean => under(parseDn(name), parseDn(base), alike);

function under(name: DistinguishedName | undefined, base: DistinguishedName | undefined, same: Same): boolean {
  if (name === undefined || base === undefined || base.length > name.length) return false;
  const tail = name.slice(name.length - base.length);
  return base.every((parts, at) => {
    const others = tail[at] ?? [];
    return parts.length === others.length && parts.every((part, index) => samePart(part, others[index], same));
  });
}

const samePart = (a: NamePart, b: NamePart | undefined, same: Same): boolean =>
  b !== undefined && a.type === b.type && same(a.value, b.value);

const alike: Same = (a, b) => sameName(a, b) || bare(a) === bare(b);

const bare = (text: string): string =>
  text.normalize("NFKD").replace(/\p{M}/gu, "").toUpperCase().toLowerCase().replace(/\s+/gu, " ").trim();
