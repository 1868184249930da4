/**
 * Bicep as the rules see it: the statements of a file with their values as a tree of objects, arrays and expressions.
 * It reads the plain part of the language that infra/ keeps to, and refuses what it does not know
 * (https://learn.microsoft.com/azure/azure-resource-manager/bicep/file).
 */

export interface Token {
  /** `text`: what stands between the quotes, interpolations included. `line`: one or more line ends. */
  readonly kind: "word" | "text" | "sign" | "line";
  readonly value: string;
}

export type Node =
  | { readonly kind: "object"; readonly fields: ReadonlyMap<string, Node> }
  | { readonly kind: "array"; readonly items: readonly Node[] }
  /** Anything else: its tokens, and the objects, arrays and parentheses among them. */
  | { readonly kind: "expression"; readonly parts: readonly (Token | Node)[] };

export interface Statement {
  readonly keyword: "targetScope" | "param" | "var" | "resource" | "module" | "output";
  readonly name: string;
  /** Of a parameter or output its type; of a resource its type and version; of a module its path. */
  readonly type: string;
  /** `existing` resources are not made by this file. */
  readonly existing: boolean;
  /** Names of the decorators above it. */
  readonly decorators: readonly string[];
  /** Absent where a parameter has no default. */
  readonly value: Node | undefined;
}

const SPACE = /(?:[ \t\r]|\/\/.*|\/\*[\s\S]*?\*\/)+/y;
const LINES = /(?:\s|\/\/.*|\/\*[\s\S]*?\*\/)*\n(?:\s|\/\/.*|\/\*[\s\S]*?\*\/)*/y;
const WORD = /[A-Za-z_][A-Za-z0-9_]*|\d+/y;
const TEXT = /'(?:[^'\\\n$]|\\.|\$(?!\{)|\$\{[^}\n]*\})*'/y;
const SIGN = /==|!=|[@(){}[\].,:=?!<>&|+*/-]/y;

/** @throws Error naming the place of what is none of these. */
export function bicepTokens(text: string): Token[] {
  const found: Token[] = [];
  let at = 0;
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const matched = pattern.exec(text)?.[0];
    at += matched?.length ?? 0;
    return matched;
  };
  while (at < text.length) {
    if (match(LINES) !== undefined) {
      found.push({ kind: "line", value: "\n" });
      continue;
    }
    if (match(SPACE) !== undefined) continue;
    const word = match(WORD);
    const quoted = word === undefined ? match(TEXT) : undefined;
    const sign = word === undefined && quoted === undefined ? match(SIGN) : undefined;
    if (word !== undefined) found.push({ kind: "word", value: word });
    else if (quoted !== undefined) found.push({ kind: "text", value: quoted.slice(1, -1) });
    else if (sign !== undefined) found.push({ kind: "sign", value: sign });
    else throw new Error(`line ${text.slice(0, at).split("\n").length}: ${text.slice(at, at + 20)} is not understood`);
  }
  return found;
}

/** @throws Error at what is not of this part of the language. */
export function parseBicep(text: string): Statement[] {
  const reader = createReader(bicepTokens(text));
  const statements: Statement[] = [];
  for (reader.skipLines(); !reader.ended(); reader.skipLines()) statements.push(readStatement(reader));
  return statements;
}

type Reader = ReturnType<typeof createReader>;

function createReader(tokens: readonly Token[]) {
  let at = 0;
  const peek = (): Token | undefined => tokens[at];
  const is = (value: string) => peek()?.kind !== "text" && peek()?.value === value;
  const take = (): Token => {
    const token = tokens[at++];
    if (token === undefined) throw new Error("the file ends too early");
    return token;
  };
  const skipLines = () => {
    while (peek()?.kind === "line") at += 1;
  };
  const expect = (value: string) => {
    if (!is(value)) throw new Error(`${JSON.stringify(peek()?.value ?? "the end")} stands where ${value} should`);
    at += 1;
  };
  return { peek, is, take, skipLines, expect, ended: () => at >= tokens.length };
}

const KEYWORDS = ["targetScope", "param", "var", "resource", "module", "output"] as const;

function readStatement(reader: Reader): Statement {
  const decorators: string[] = [];
  for (; reader.is("@"); reader.skipLines()) {
    reader.take();
    decorators.push(reader.take().value);
    reader.expect("(");
    readList(reader, ")");
  }
  const word = reader.take().value;
  const keyword = KEYWORDS.find((known) => known === word);
  if (keyword === undefined) throw new Error(`${JSON.stringify(word)} begins no statement that is known here`);
  const name = keyword === "targetScope" ? "" : reader.take().value;
  const type = keyword === "targetScope" || keyword === "var" ? "" : reader.take().value;
  const existing = reader.is("existing");
  if (existing) reader.take();
  const hasValue = reader.is("=");
  if (hasValue) reader.take();
  const value = hasValue ? readExpression(reader) : undefined;
  if (!reader.ended() && reader.peek()?.kind !== "line")
    throw new Error(`${keyword} ${name} does not end with its line`);
  return { keyword, name, type, existing, decorators, value };
}

/** Up to the end of the line, a comma, or the bracket that closes what it stands in. */
function readExpression(reader: Reader): Node {
  const parts: (Token | Node)[] = [];
  for (;;) {
    const token = reader.peek();
    const ends = token === undefined || token.kind === "line";
    if (ends || (token.kind === "sign" && [",", ")", "]", "}"].includes(token.value))) break;
    reader.take();
    if (token.kind === "sign" && token.value === "{") parts.push(readObject(reader));
    else if (token.kind === "sign" && token.value === "[") parts.push({ kind: "array", items: readList(reader, "]") });
    else if (token.kind === "sign" && token.value === "(") parts.push({ kind: "array", items: readList(reader, ")") });
    else parts.push(token);
  }
  const [only] = parts;
  if (only === undefined) throw new Error("a value is missing");
  return parts.length === 1 && (only.kind === "object" || only.kind === "array") ? only : { kind: "expression", parts };
}

function readObject(reader: Reader): Node {
  const fields = new Map<string, Node>();
  for (reader.skipLines(); !reader.is("}"); reader.skipLines()) {
    const key = reader.take().value;
    reader.expect(":");
    if (fields.has(key)) throw new Error(`${key} is given twice`);
    fields.set(key, readExpression(reader));
    if (reader.is(",")) reader.take();
  }
  reader.take();
  return { kind: "object", fields };
}

/** The items of an array or a call. A loop, `[for x in y: item]`, is one item: an expression that ends with the real one. */
function readList(reader: Reader, closer: string): Node[] {
  const items: Node[] = [];
  for (reader.skipLines(); !reader.is(closer); reader.skipLines()) {
    items.push(readExpression(reader));
    if (reader.is(",")) reader.take();
  }
  reader.take();
  return items;
}

/** The node and all that stands in it. */
export function* within(node: Node | undefined): Generator<Node> {
  if (node === undefined) return;
  yield node;
  const children =
    node.kind === "object" ? [...node.fields.values()] : node.kind === "array" ? node.items : node.parts.filter(isNode);
  for (const child of children) yield* within(child);
}

const isNode = (part: Token | Node): part is Node =>
  part.kind === "object" || part.kind === "array" || part.kind === "expression";

/** The literal of a node that is one quoted text or one word (`true`, `10`), else undefined. */
export function literal(node: Node | undefined): string | undefined {
  const [only] = node?.kind === "expression" && node.parts.length === 1 ? node.parts : [];
  return only !== undefined && !isNode(only) && only.kind !== "sign" ? only.value : undefined;
}

/** The value at `path`, where each step is a field of an object. */
export function field(node: Node | undefined, ...path: readonly string[]): Node | undefined {
  return path.reduce<Node | undefined>(
    (inner, name) => (inner?.kind === "object" ? inner.fields.get(name) : undefined),
    node,
  );
}

/** A name in an expression: `a` in `a.b` is no member, `b` is one; `f` in `f(x)` and in `a.f()` is called. */
export interface Mention {
  readonly name: string;
  readonly member: boolean;
  readonly called: boolean;
}

/** Every name in a node, interpolations included. Names of fields are none. */
export function mentions(node: Node | undefined): Mention[] {
  return [...within(node)].flatMap((inner) => (inner.kind === "expression" ? inner.parts.flatMap(mentionsAt) : []));
}

function mentionsAt(part: Token | Node, index: number, parts: readonly (Token | Node)[]): Mention[] {
  if (isNode(part)) return [];
  if (part.kind === "text") return interpolations(part.value).flatMap((code) => mentions(parseValue(code)));
  if (part.kind !== "word" || /^\d/.test(part.value)) return [];
  const [before, after] = [parts[index - 1], parts[index + 1]];
  const member = before !== undefined && !isNode(before) && before.value === ".";
  return [{ name: part.value, member, called: after?.kind === "array" }];
}

const interpolations = (text: string): string[] => [...text.matchAll(/\$\{([^}]*)\}/g)].map(([, code]) => code!);

const parseValue = (code: string): Node => readExpression(createReader(bicepTokens(code)));
