/** How names in a policy are compared with names in a request: without regard to case, by code point, nothing else. */

/**
 * The text with each letter in upper case where that is one letter that leads back to it. So `ß` is not `SS`, and the
 * Turkish dotless i is not `I`: two names that a server holds apart never become one here.
 */
function foldCase(text: string): string {
  let folded = "";
  for (const letter of text) {
    const upper = letter.toUpperCase();
    folded += upper.length === letter.length && upper.toLowerCase() === letter ? upper : letter;
  }
  return folded;
}

export const sameName = (a: string, b: string): boolean => foldCase(a) === foldCase(b);

/** Whether a list of names has this one. */
export const hasName = (names: readonly string[], name: string): boolean => names.some((one) => sameName(one, name));

/** The server's own catalogs: never readable, whatever a rule says. */
export const isSystemSchema = (schema: string): boolean =>
  sameName(schema.trim(), "sys") || sameName(schema.trim(), "INFORMATION_SCHEMA");

/** `schema.table` in two; undefined for anything else, also for three parts. */
export function splitTable(table: string): readonly [schema: string, name: string] | undefined {
  const parts = table.split(".");
  const [schema, name] = parts;
  return parts.length === 2 && schema && name ? [schema, name] : undefined;
}

/** How a pattern fits a table: by its exact name, by a `*`, or not at all. */
export function matchTable(pattern: string, table: string): "name" | "pattern" | undefined {
  if (sameName(pattern, table)) return "name";
  if (!pattern.includes("*")) return undefined;
  const [schema = "", name = ""] = foldCase(pattern).split(".");
  const [ofSchema = "", ofName = ""] = foldCase(table).split(".");
  return schema === ofSchema && matchRuns(name.split("*"), ofName) ? "pattern" : undefined;
}

/** Whether there can be a table that both patterns cover. */
export function patternsMeet(one: string, other: string): boolean {
  const [schema = "", name = ""] = foldCase(one).split(".");
  const [ofSchema = "", ofName = ""] = foldCase(other).split(".");
  return schema === ofSchema && textsMeet([...name], [...ofName]);
}

/** Column by column of the table "do these two beginnings meet": no backtracking to exploit here either. */
function textsMeet(a: readonly string[], b: readonly string[]): boolean {
  let row = [true];
  for (let at = 0; at < b.length; at += 1) row.push(row[at] === true && b[at] === "*");
  for (const letter of a) {
    const next = [row[0] === true && letter === "*"];
    for (let at = 0; at < b.length; at += 1) {
      const both = letter === "*" || b[at] === "*" ? row[at + 1] === true || next[at] === true : false;
      next.push(both || (row[at] === true && (letter === b[at] || letter === "*" || b[at] === "*")));
    }
    row = next;
  }
  return row.at(-1) === true;
}

/** Whether text is the pieces in order with anything between them. Greedy from the left: no backtracking to exploit. */
function matchRuns(pieces: readonly string[], text: string): boolean {
  const first = pieces[0] ?? "";
  const last = pieces.at(-1) ?? "";
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false;
  const end = text.length - last.length;
  let at = first.length;
  for (const piece of pieces.slice(1, -1)) {
    const found = text.indexOf(piece, at);
    if (found < 0 || found + piece.length > end) return false;
    at = found + piece.length;
  }
  return true;
}
