/**
 * Whether a text can be written in a collation's code page as it is: SQL Server would put `?`, or the letter that looks
 * most like it, in the place of one that is not there, and say nothing.
 */
import { decodePage } from "../code-page.ts";

/** Bytes of each character of the page; undefined for a page that is not known here. */
export type PageBytes = (text: string) => number | undefined;

const UTF8 = 65001;
const known = new Map<number, ReadonlyMap<string, number> | undefined>();

/** @returns a function from a text to its bytes in that page, undefined where a character is not in it */
export function pageBytes(codePage: number): PageBytes {
  if (codePage === UTF8) return (text) => Buffer.byteLength(text);
  if (!known.has(codePage)) known.set(codePage, charactersOf(`CP${codePage}`));
  const characters = known.get(codePage);
  return (text) => {
    let bytes = 0;
    for (const character of text) {
      const width = character <= "\u007f" ? 1 : characters?.get(character);
      if (width === undefined) return undefined;
      bytes += width;
    }
    return bytes;
  };
}

/** Every character that one byte or two stand for. */
function charactersOf(page: string): ReadonlyMap<string, number> | undefined {
  if (decodePage(page, Buffer.of(0x41)) === undefined) return undefined;
  const characters = new Map<string, number>();
  for (let lead = 0x80; lead <= 0xff; lead++) {
    const one = decodePage(page, Buffer.of(lead));
    if (one !== undefined && [...one].length === 1) {
      characters.set(one, 1);
      continue;
    }
    for (let trail = 0x30; trail <= 0xff; trail++) {
      const two = decodePage(page, Buffer.of(lead, trail));
      if (two !== undefined && [...two].length === 1 && !characters.has(two)) characters.set(two, 2);
    }
  }
  return characters;
}
