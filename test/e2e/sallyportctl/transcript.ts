/** A session of `sallyportctl` as text: what was typed, what came, with everything that differs each time named instead. */
import { readFileSync, writeFileSync } from "node:fs";
import { BOTH, type Differs, Names } from "../transcripts/names.ts";
import type { Ran } from "./run.ts";

const DIFFERS: Differs = [
  ...BOTH,
  [/whsec_[A-Za-z0-9+/]{43}=/g, "SECRET{}"],
  [/test\/[0-9a-f]{16}/g, "test/DRAWN"],
  [/"id":"\d{13}-[0-9a-f]+"/g, '"id":"ENTRY"'],
  [/took \d+ [sm]\b/g, "took TOOK"],
  [/(?<=AGO {2,})\d+ s\b/g, "TOOK"],
  [/\b\d+(\.\d+)? [kM]?B\b/g, "SIZE"],
  [/"bytes":[1-9]\d*/g, '"bytes":SIZE'],
  [/"host":"[^"]*"/g, '"host":"HOST"'],
  [/f\d+-s\d+\/part/g, "FENCE/part"],
];

export class Transcript {
  readonly #names = new Names(DIFFERS);
  #text = "";

  add(args: readonly string[], { exitCode, stdout, stderr }: Ran): void {
    const quoted = args.map((arg) => (/^[\w./:=,-]+$/.test(arg) ? arg : `'${arg}'`)).join(" ");
    const errors = stderr === "" ? "" : `${stderr.trimEnd().replace(/^/gm, "! ")}\n`;
    const exit = exitCode === 0 ? "" : `exit ${exitCode}\n`;
    const said = `$ sallyportctl ${quoted}\n${stdout}${errors}${exit}`;
    this.#text += `${this.#names.stable(said)}\n`;
  }

  /** As it is stored. */
  get text(): string {
    return this.#text;
  }
}

/** What is stored; with SALLYPORT_WRITE_TRANSCRIPTS set, what came is stored first, for a person to read in the diff. */
export function stored(name: string, came: string): string {
  const file = new URL(`./${name}.txt`, import.meta.url);
  if (process.env.SALLYPORT_WRITE_TRANSCRIPTS !== undefined) writeFileSync(file, came);
  return readFileSync(file, "utf8");
}
