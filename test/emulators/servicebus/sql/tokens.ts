/** A part of a filter expression. `at` counts characters from 1, for error messages. */
export type Token = { readonly at: number } & (
  | { readonly kind: "word"; readonly text: string }
  /** An identifier in brackets or double quotes, which is never a keyword. */
  | { readonly kind: "name"; readonly text: string }
  | { readonly kind: "text"; readonly value: string }
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "sign"; readonly text: string }
  | { readonly kind: "end" }
);

// Each quote character inside of quotes is doubled. The alternatives exclude each other by their
// first character, so that no expression takes long.
const TOKEN =
  /'(?<text>(?:[^']|'')*)'|\[(?<bracketed>(?:[^\]]|\]\])+)\]|"(?<quoted>(?:[^"]|"")+)"|(?<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)|(?<word>\p{L}[\p{L}\p{Nd}_]*)|(?<sign><>|!=|<=|>=|[=<>(),.+*/%@-])/uy;

/**
 * Splits a filter expression into its parts, the last of which is the end.
 *
 * @throws Error at the first character that begins none
 */
export function tokensOf(expression: string): Token[] {
  const tokens: Token[] = [];
  let position = skipBlanks(expression, 0);
  while (position < expression.length) {
    TOKEN.lastIndex = position;
    const found = TOKEN.exec(expression);
    if (!found) throw new Error(`what begins at character ${position + 1} cannot be read`);
    tokens.push(tokenOf(found.groups ?? {}, position + 1));
    position = skipBlanks(expression, TOKEN.lastIndex);
  }
  return [...tokens, { kind: "end", at: position + 1 }];
}

function tokenOf(groups: Record<string, string | undefined>, at: number): Token {
  const { text, bracketed, quoted, number, word, sign } = groups;
  if (text !== undefined) return { kind: "text", value: text.replaceAll("''", "'"), at };
  if (bracketed !== undefined) return { kind: "name", text: bracketed.replaceAll("]]", "]"), at };
  if (quoted !== undefined) return { kind: "name", text: quoted.replaceAll('""', '"'), at };
  if (word !== undefined) return { kind: "word", text: word, at };
  if (number !== undefined) return { kind: "number", value: numberOf(number, at), at };
  return { kind: "sign", text: sign === "!=" ? "<>" : (sign ?? ""), at };
}

// Azure computes with 64-bit integers, we with doubles: beyond 2^53 the two would disagree.
function numberOf(digits: string, at: number): number {
  const value = Number(digits);
  if (/^\d+$/.test(digits) ? Number.isSafeInteger(value) : Number.isFinite(value)) return value;
  throw new Error(`the number at character ${at} is too large to be compared exactly`);
}

function skipBlanks(expression: string, from: number): number {
  let position = from;
  while (/\s/.test(expression.charAt(position))) position += 1;
  return position;
}
