/** A session of `sallyportctl` as text: what was typed, what came, with everything that differs each time named instead. */
import { readFileSync, writeFileSync } from "node:fs";
import type { Ran } from "./run.ts";

/** What differs, in the order in which it is looked for. `{}` is numbered by first occurrence. */
const DIFFERS: readonly (readonly [pattern: RegExp, name: string])[] = [
  [/\b[0-9]{13}-[0-9a-f]{8}\b/g, "RUN{}"],
  [/SHA256:[A-Za-z0-9_-]{43}/g, "SHA256:PRINT{}"],
  [/\bsp_([a-z0-9-]+)_[A-Za-z0-9_-]{43}/g, "KEY{}"],
  [/\b[A-Za-z0-9_-]{43}\b/g, "HASH{}"],
  [/\b[0-9a-f]{32}\b/g, "ID{}"],
  [/\b[0-9A-Z]{4}-[0-9A-Z]{4}\.[0-9A-Z*~$=-]+/g, "CODE{}"],
  [/urn:uuid:[0-9a-f-]{36}/g, "urn:uuid:INSTANCE"],
  [/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "TIME"],
  [/\b(\d+ [hd] )?\d+ [smhd] ago/g, "AGO"],
  [/\bin (\d+ [hd] )?\d+ [smhd]\b/g, "AHEAD"],
  [/took \d+ [sm]\b/g, "took TOOK"],
  [/(?<=AGO {2,})\d+ s\b/g, "TOOK"],
  [/\b\d+(\.\d+)? [kM]?B\b/g, "SIZE"],
  [/"bytes":[1-9]\d*/g, '"bytes":SIZE'],
  [/"host":"[^"]*"/g, '"host":"HOST"'],
  [/f\d+-s\d+\/part/g, "FENCE/part"],
];

export class Transcript {
  readonly #names = new Map<string, string>();
  readonly #counts = new Map<string, number>();
  #text = "";

  add(args: readonly string[], { exitCode, stdout, stderr }: Ran): void {
    const quoted = args.map((arg) => (/^[\w./:=,-]+$/.test(arg) ? arg : `'${arg}'`)).join(" ");
    const errors = stderr === "" ? "" : `${stderr.trimEnd().replace(/^/gm, "! ")}\n`;
    const exit = exitCode === 0 ? "" : `exit ${exitCode}\n`;
    this.#text += `${this.#stable(`$ sallyportctl ${quoted}\n${stdout}${errors}${exit}`)}\n`;
  }

  /** As it is stored; columns are two spaces apart, because what stands in them differs in width. */
  get text(): string {
    return this.#text;
  }

  #stable(text: string): string {
    let stable = text;
    for (const [pattern, name] of DIFFERS) stable = stable.replace(pattern, (found) => this.#name(found, name));
    return stable.replace(/(?<=\S) {2,}/g, "  ").replace(/ +$/gm, "");
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

/** What is stored; with SALLYPORT_WRITE_TRANSCRIPTS set, what came is stored first, for a person to read in the diff. */
export function stored(name: string, came: string): string {
  const file = new URL(`./${name}.txt`, import.meta.url);
  if (process.env.SALLYPORT_WRITE_TRANSCRIPTS !== undefined) writeFileSync(file, came);
  return readFileSync(file, "utf8");
}
