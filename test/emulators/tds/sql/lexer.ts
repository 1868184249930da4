/** T-SQL text as tokens. */
import { sqlError } from "../values/errors.ts";

export interface Token {
  readonly kind: "word" | "quoted" | "variable" | "string" | "nstring" | "number" | "binary" | "operator" | "end";
  /** Names without their brackets, strings without their quotes. */
  readonly text: string;
  readonly line: number;
  readonly from: number;
  readonly to: number;
}

const RULES: readonly (readonly [Token["kind"] | "space", RegExp])[] = [
  ["space", /(?:\s+|--[^\n]*|\/\*[\s\S]*?\*\/)+/y],
  ["nstring", /N'(?:[^']|'')*'/iy],
  ["string", /'(?:[^']|'')*'/y],
  ["binary", /0x[0-9a-f]*/iy],
  ["number", /(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?/iy],
  ["quoted", /\[(?:[^\]]|\]\])*\]|"(?:[^"]|"")*"/y],
  ["variable", /@@?[\p{L}\p{N}_$#@]*/uy],
  ["word", /[\p{L}_#][\p{L}\p{N}_@$#]*/uy],
  ["operator", /::|<>|!=|<=|>=|!<|!>|\+=|-=|[-+*/%=<>(),.;&|^~]/y],
];

/** Throws error 105 for an open string and 102 for a character that starts no token. */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let from = 0;
  let line = 1;
  while (from < text.length) {
    const found = match(text, from);
    if (found === null) throw unreadable(text, from, line);
    if (found.kind !== "space") {
      tokens.push({ kind: found.kind, text: unquote(found.kind, found.raw), line, from, to: from + found.raw.length });
    }
    for (const character of found.raw) if (character === "\n") line++;
    from += found.raw.length;
  }
  tokens.push({ kind: "end", text: "", line, from, to: from });
  return tokens;
}

function match(text: string, from: number): { kind: Token["kind"] | "space"; raw: string } | null {
  for (const [kind, rule] of RULES) {
    rule.lastIndex = from;
    const raw = rule.exec(text)?.[0];
    if (raw !== undefined && raw !== "") return { kind, raw };
  }
  return null;
}

function unquote(kind: Token["kind"], raw: string): string {
  if (kind === "string") return raw.slice(1, -1).replaceAll("''", "'");
  if (kind === "nstring") return raw.slice(2, -1).replaceAll("''", "'");
  if (kind === "quoted") {
    const close = raw.startsWith("[") ? "]" : '"';
    return raw.slice(1, -1).replaceAll(close + close, close);
  }
  return raw;
}

function unreadable(text: string, from: number, line: number): Error {
  const rest = text.slice(from);
  const error = /^N?'/i.test(rest) ? sqlError(105, rest.slice(1, 40)) : sqlError(102, rest.slice(0, 1));
  error.line = line;
  return error;
}
