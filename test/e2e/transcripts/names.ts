/** Text without what differs each time: it gets a name instead, numbered by first occurrence where the name has `{}`. */

export type Differs = readonly (readonly [pattern: RegExp, name: string])[];

/** What both command lines print, in the order in which it is looked for. */
export const BOTH: Differs = [
  [/\b[0-9]{13}-[0-9a-f]{8}\b/g, "RUN{}"],
  [/SHA256:[A-Za-z0-9_-]{43}/g, "SHA256:PRINT{}"],
  [/\bsp_([a-z0-9-]+)_[A-Za-z0-9_-]{43}/g, "KEY{}"],
  [/(?<![A-Za-z0-9_-])[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])/g, "HASH{}"],
  [/\b[0-9a-f]{32}\b/g, "ID{}"],
  [/\b[0-9A-Z]{4}-[0-9A-Z]{4}\.[0-9A-Z*~$=-]+/g, "CODE{}"],
  [/urn:uuid:[0-9a-f-]{36}/g, "urn:uuid:INSTANCE"],
  [/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "TIME"],
  [/\b(\d+ [hd] )?\d+ [smhd] ago/g, "AGO"],
  [/\bin (\d+ [hd] )?\d+ [smhd]\b/g, "AHEAD"],
];

/** The text where it stands alone, and not within a hash: a machine's name may be as short as `vm`. */
export const standing = (text: string): RegExp => new RegExp(`(?<![\\w-])${RegExp.escape(text)}(?![\\w-])`, "g");

export class Names {
  readonly #differs: Differs;
  readonly #names = new Map<string, string>();
  readonly #counts = new Map<string, number>();

  constructor(differs: Differs) {
    this.#differs = differs;
  }

  /** The text with names; columns are two spaces apart, because what stands in them differs in width. */
  stable(text: string): string {
    let stable = text;
    for (const [pattern, name] of this.#differs) stable = stable.replace(pattern, (found) => this.#name(found, name));
    return stable.replace(/(?<=\S) {2,}/g, "  ").replace(/ +$/gm, "");
  }

  /** What was named so; undefined for a name that was not given. */
  found(name: string): string | undefined {
    return [...this.#names].find(([, each]) => each === name)?.[0];
  }

  /** Every name that was given, with what it stands for. */
  get all(): ReadonlyMap<string, string> {
    return this.#names;
  }

  #name(found: string, pattern: string): string {
    if (!pattern.includes("{}")) return pattern;
    const known = this.#names.get(found);
    if (known !== undefined) return known;
    const number = (this.#counts.get(pattern) ?? 0) + 1;
    this.#counts.set(pattern, number);
    const name = pattern.replace("{}", String(number));
    this.#names.set(found, name);
    return name;
  }
}
