/** LIKE patterns: %, _, [a-z], [^a-z] and an escape character. */
const cache = new Map<string, RegExp>();

export function likePattern(pattern: string, escapeBy: string, ignoreCase: boolean): RegExp {
  const key = `${ignoreCase ? "i" : "c"}${escapeBy.padEnd(1, "\0")}${pattern}`;
  const known = cache.get(key);
  if (known !== undefined) return known;
  if (cache.size > 500) cache.clear();
  const made = new RegExp(`^${translate(pattern, escapeBy)} *$`, ignoreCase ? "isu" : "su");
  cache.set(key, made);
  return made;
}

function translate(pattern: string, escapeBy: string): string {
  let source = "";
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern.charAt(at);
    const set = character === "[" ? /^\[(\^?)([^\]]+)\]/.exec(pattern.slice(at)) : null;
    if (escapeBy !== "" && character === escapeBy) source += RegExp.escape(pattern.charAt(++at));
    else if (character === "%") source += ".*";
    else if (character === "_") source += ".";
    else if (set !== null) {
      source += `[${set[1]}${(set[2] ?? "").replace(/[\\[\]^&]/g, "\\$&")}]`;
      at += set[0].length - 1;
    } else source += RegExp.escape(character);
  }
  return source;
}
