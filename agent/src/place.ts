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
 * The same, with names taken for one that a directory might: it holds `Stáff` for `Staff`, `ø` for `o`, full-width letters for
 * plain ones, runs of spaces for one, and looks past letters that nobody sees. For denials, so that none is got around by spelling;
 * where a directory takes still more for one, its connector judges by the name that it found.
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

const alike: Same = (a, b) => sameName(a, b) || collator().compare(bare(a), bare(b)) === 0;

/**
 * Which letters are one when accents, case, width and kind of kana do not count: by Unicode's own table of weights, which Windows'
 * follows nearly (NORM_IGNORENONSPACE, IGNOREWIDTH, IGNOREKANATYPE) [MS-ADTS 6.5]. Made when the first denial is looked at.
 */
let loose: Intl.Collator | undefined;
const collator = (): Intl.Collator => {
  loose ??= new Intl.Collator("und", { sensitivity: "base" });
  return loose;
};

/** Letters that Windows weighs as others and Unicode does not. */
const WINDOWS: Readonly<Record<string, string>> = {
  ...{
    ɨ: "i",
    ŧ: "t",
    þ: "th",
    ŋ: "n",
    ĸ: "k",
    ƀ: "b",
    ɓ: "b",
    ɗ: "d",
    ǥ: "g",
    ɠ: "g",
    ƙ: "k",
    ƞ: "n",
    ɵ: "o",
  },
  ...{ ƥ: "p", ƭ: "t", ʈ: "t", ʉ: "u", ʋ: "v", ƴ: "y", ƶ: "z", ȥ: "z", ƒ: "f", ɲ: "n" },
};
const OTHERS = new RegExp(`[${Object.keys(WINDOWS).join("")}]`, "gu");
/** What has no weight, or may have none: marks, what is not seen, private letters, and those that are none. */
const WEIGHTLESS = /[\p{M}\p{Cc}\p{Cf}\p{Cn}\p{Co}\p{Default_Ignorable_Code_Point}]/gu;

const bare = (text: string): string =>
  text
    .normalize("NFKD")
    .toUpperCase()
    .toLowerCase()
    // What became of ŉ, which Windows weighs as the one letter.
    .replaceAll("\u02bcn", "n")
    .replace(OTHERS, (letter) => WINDOWS[letter] ?? letter)
    .replace(WEIGHTLESS, "")
    .replace(/\s+/gu, " ")
    .trim();
