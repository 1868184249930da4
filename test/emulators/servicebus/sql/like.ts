import type { Pattern } from "./predicate.ts";

/**
 * Takes a LIKE pattern apart: `%` stands for any text, `_` for one character, and after the escape
 * character both stand for themselves.
 *
 * @throws Error when the escape character is none, or escapes nothing
 */
export function patternOf(text: string, escapeChar: string | undefined): Pattern {
  if (escapeChar !== undefined && escapeChar.length !== 1) throw new Error("ESCAPE takes one character");
  const parts: Pattern[number][] = [];
  let literal = "";
  const endLiteral = () => {
    if (literal !== "") parts.push({ text: literal });
    literal = "";
  };
  for (let index = 0; index < text.length; index += 1) {
    const char = text.charAt(index);
    if (char === escapeChar) {
      index += 1;
      literal += escaped(text.charAt(index), escapeChar);
    } else if (char === "%" || char === "_") {
      endLiteral();
      parts.push(char === "%" ? "any" : "one");
    } else literal += char;
  }
  endLiteral();
  return parts;
}

function escaped(char: string, escapeChar: string): string {
  if (char === "%" || char === "_" || char === escapeChar) return char;
  throw new Error("the escape character stands before %, _ or itself only");
}

/**
 * Whether the whole text has the form of the pattern. Not by regular expression: with many `%` that
 * could take for ever, and the text comes from whoever may send.
 */
export function isLike(text: string, pattern: Pattern): boolean {
  let position = 0;
  let part = 0;
  // Where to go on when a try fails: `%` swallows one more character. An earlier `%` need never be
  // looked at again, for the later one can swallow whatever it could.
  let retry: { position: number; part: number } | undefined;
  while (position < text.length || part < pattern.length) {
    const wanted = pattern[part];
    const length = wanted === undefined ? undefined : lengthAt(text, position, wanted);
    if (wanted === "any") {
      retry = { position, part };
      part += 1;
    } else if (length !== undefined) {
      position += length;
      part += 1;
    } else {
      if (!retry || retry.position >= text.length) return false;
      retry = { ...retry, position: retry.position + 1 };
      position = retry.position;
      part = retry.part + 1;
    }
  }
  return true;
}

/** How many characters of the text this part of a pattern covers there; undefined when it does not fit. */
function lengthAt(text: string, position: number, part: Pattern[number]): number | undefined {
  if (part === "any") return 0;
  if (part === "one") return position < text.length ? 1 : undefined;
  return text.startsWith(part.text, position) ? part.text.length : undefined;
}
