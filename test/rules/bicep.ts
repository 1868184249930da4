/**
 * Bicep as the rules see it: the statements of a file with their values as a tree of objects, arrays and expressions, made from the
 * parse tree of tree-sitter-bicep. What its grammar does not know (`import {}`, `resourceInput<>`) is refused, and so is what
 * begins no statement of these kinds (https://learn.microsoft.com/azure/azure-resource-manager/bicep/file).
 */
import { createRequire } from "node:module";
import { Language, Parser, type Node as Tree } from "web-tree-sitter";

export interface Token {
  /** `text`: what stands between the quotes, interpolations included. */
  readonly kind: "word" | "text" | "sign";
  readonly value: string;
}

export type Node =
  | { readonly kind: "object"; readonly fields: ReadonlyMap<string, Node> }
  /** An array, the arguments of a call, what stands in parentheses, or a loop with its one item. */
  | { readonly kind: "array"; readonly items: readonly Node[] }
  /** Anything else: its tokens, and the objects and arrays among them, in their order. */
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
  /** Names that only parts of its value have: of loops and lambdas. */
  readonly locals: readonly string[];
  /** Absent where a parameter has no default. */
  readonly value: Node | undefined;
}

const { resolve } = createRequire(import.meta.url);
await Parser.init();
const parser = new Parser();
parser.setLanguage(await Language.load(resolve("tree-sitter-bicep/tree-sitter-bicep.wasm")));

/** @throws Error naming the line of what the grammar does not take, or of a statement that is not known here. */
export function parseBicep(text: string): Statement[] {
  const tree = parser.parse(text);
  if (tree === null) throw new Error("the parser was stopped");
  try {
    requireSound(tree.rootNode);
    const statements: Statement[] = [];
    let decorators: string[] = [];
    for (const node of tree.rootNode.namedChildren) {
      if (node.type === "comment" || node.type === "diagnostic_comment") continue;
      if (node.type === "decorators") {
        decorators = all(node, "decorator").map((one) => one.descendantsOfType("identifier")[0]!.text);
        continue;
      }
      statements.push({ ...readStatement(node), decorators });
      decorators = [];
    }
    return statements;
  } finally {
    tree.delete();
  }
}

function requireSound(root: Tree): void {
  if (!root.hasError) return;
  const broken = (node: Tree): Tree | undefined =>
    node.isError || node.isMissing
      ? node
      : node.children
          .filter(({ hasError }) => hasError)
          .map(broken)
          .find(Boolean);
  const at = broken(root) ?? root;
  throw new Error(`line ${at.startPosition.row + 1}: ${JSON.stringify(at.text.slice(0, 40))} is not understood`);
}

const KEYWORDS: Readonly<Record<string, Statement["keyword"]>> = {
  target_scope_assignment: "targetScope",
  parameter_declaration: "param",
  variable_declaration: "var",
  resource_declaration: "resource",
  module_declaration: "module",
  output_declaration: "output",
};

function readStatement(node: Tree): Omit<Statement, "decorators"> {
  const keyword = KEYWORDS[node.type];
  if (keyword === undefined) throw new Error(`line ${node.startPosition.row + 1}: ${node.type} is not known here`);
  const named = node.namedChildren.filter(({ type }) => type !== "comment");
  const name = keyword === "targetScope" ? "" : named[0]!.text;
  const hasType = keyword !== "targetScope" && keyword !== "var";
  const [type, value] = hasType ? [named[1], named[2]] : ["", named.at(-1)];
  return {
    keyword,
    name,
    type: typeof type === "string" ? type : (type?.text ?? "").replace(/^'|'$/g, ""),
    existing: node.children.some(({ type: each }) => each === "existing"),
    locals: localsOf(node),
    value: value === undefined ? undefined : convert(value),
  };
}

const all = (node: Tree, type: string): Tree[] => node.descendantsOfType(type);

function localsOf(node: Tree): string[] {
  const loops = all(node, "for_statement").flatMap((loop) => loop.childForFieldName("initializer")?.text ?? []);
  const pairs = ["loop_variable", "loop_enumerator"].flatMap((type) => all(node, type)).map(({ text }) => text);
  // `(a, b) => …` and `a => …`: what stands before the arrow.
  const lambdas = all(node, "lambda_expression").flatMap(({ namedChildren: [parameters] }) =>
    parameters === undefined ? [] : [...all(parameters, "identifier")].map(({ text }) => text),
  );
  return [...new Set([...loops, ...pairs, ...lambdas])];
}

const LISTS = new Set(["array", "arguments", "parenthesized_expression"]);

function convert(node: Tree): Node {
  const items = node.namedChildren.filter(({ type }) => type !== "comment");
  if (node.type === "object") return readObject(items);
  if (LISTS.has(node.type)) return { kind: "array", items: adjoining(items).map(convertAll) };
  if (node.type === "for_statement") return { kind: "array", items: [{ kind: "expression", parts: partsOf(node) }] };
  return { kind: "expression", parts: partsOf(node) };
}

/** In an array the grammar takes the `f()` of `[ f().b ]` apart, since items may stand without commas: what adjoins is one item. */
function adjoining(items: readonly Tree[]): Tree[][] {
  const groups: Tree[][] = [];
  for (const item of items) {
    const last = groups.at(-1);
    if (last?.at(-1)?.endIndex === item.startIndex) last.push(item);
    else groups.push([item]);
  }
  return groups;
}

const convertAll = (group: readonly Tree[]): Node =>
  group.length === 1 ? convert(group[0]!) : { kind: "expression", parts: group.flatMap(partsOf) };

function readObject(properties: readonly Tree[]): Node {
  const fields = new Map<string, Node>();
  for (const property of properties) {
    const [key, value] = property.namedChildren.filter(({ type }) => type !== "comment");
    if (property.type !== "object_property" || key === undefined || value === undefined)
      throw new Error(`line ${property.startPosition.row + 1}: ${property.type} is not known here`);
    const name = key.text.replace(/^'|'$/g, "");
    if (fields.has(name)) throw new Error(`${name} is given twice`);
    fields.set(name, convert(value));
  }
  return { kind: "object", fields };
}

/** Tokens in their order, with objects, arrays and parentheses as nodes. */
function partsOf(node: Tree): (Token | Node)[] {
  if (node.type === "comment") return [];
  if (node.type === "string") return [{ kind: "text", value: node.text.replace(/^'''|'''$|^'|'$/g, "") }];
  if (node.type === "object" || LISTS.has(node.type)) return [convert(node)];
  if (node.childCount === 0) return [{ kind: /^\w/.test(node.text) ? "word" : "sign", value: node.text }];
  return node.children.flatMap(partsOf);
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
  const member = before !== undefined && !isNode(before) && /^\.\??$/.test(before.value);
  return [{ name: part.value, member, called: after?.kind === "array" }];
}

const interpolations = (text: string): string[] => [...text.matchAll(/\$\{([^}]*)\}/g)].map(([, code]) => code!);

const parseValue = (code: string): Node | undefined => parseBicep(`var x = ${code}\n`)[0]?.value;
