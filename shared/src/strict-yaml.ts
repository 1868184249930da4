/** YAML 1.2 without what surprises: no anchors, aliases, tags, directives, duplicate keys or second documents. */
import { type Document, isCollection, isMap, isScalar, LineCounter, type Node, parseAllDocuments, visit } from "yaml";

const KIB = 1024;
/** What a person writes by hand. */
const MAX_BYTES = 256 * KIB;

export interface YamlProblem {
  /** `connections.erp.rules[0].tables`; empty for the file itself. */
  readonly path: string;
  /** From 1. */
  readonly line: number;
  readonly message: string;
}

/** Every mistake of a file, in words for its owner. */
export class YamlError extends Error {
  override readonly name = "YamlError";
  readonly problems: readonly YamlProblem[];
  constructor(problems: readonly YamlProblem[]) {
    super(problems.map(({ line, message }) => `line ${line}: ${message}`).join("\n"));
    this.problems = problems;
  }
}

export interface StrictYaml {
  readonly value: unknown;
  /** What is wrong with the value at `path`, with its line. */
  problemAt(path: readonly PropertyKey[], message: string): YamlProblem;
}

/** JSON is YAML, too. @throws YamlError with every mistake that keeps the text from being read. */
export function readStrictYaml(text: string, maxBytes: number = MAX_BYTES): StrictYaml {
  if (Buffer.byteLength(text) > maxBytes) {
    throw new YamlError([aboutFile(`the file is larger than ${maxBytes / KIB} KiB`)]);
  }
  const lines = new LineCounter();
  const document = onlyDocument(text, lines);
  const problems = surprises(document, text).map(({ offset, message }) => ({
    path: "",
    line: lines.linePos(offset).line,
    message,
  }));
  if (problems.length > 0) throw new YamlError(problems);
  return {
    value: document.toJS({ maxAliasCount: 0 }),
    problemAt: (path, message) => ({ path: pathText(path), line: lineOf(document, path, lines), message }),
  };
}

/** @returns the plain value. @throws YamlError. */
export const parseStrictYaml = (text: string): unknown => readStrictYaml(text).value;

const aboutFile = (message: string): YamlProblem => ({ path: "", line: 1, message });

function onlyDocument(text: string, lines: LineCounter): Document {
  let documents: ReturnType<typeof parseAllDocuments>;
  try {
    documents = parseAllDocuments(text, {
      version: "1.2",
      uniqueKeys: true,
      stringKeys: true,
      merge: false,
      prettyErrors: false,
      lineCounter: lines,
    });
  } catch {
    // Deep nesting ends the parser's stack.
    throw new YamlError([aboutFile("not YAML")]);
  }
  const document = Array.isArray(documents) ? documents[0] : undefined;
  if (document === undefined) throw new YamlError([aboutFile("the file is empty")]);
  if (documents.length > 1) throw new YamlError([aboutFile("the file holds more than one document")]);
  return document;
}

function surprises(document: Document, text: string): { offset: number; message: string }[] {
  const found = [...document.errors, ...document.warnings].map(({ pos, message }) => ({ offset: pos[0], message }));
  const add = (node: Node, message: string): void => {
    found.push({ offset: node.range?.[0] ?? 0, message });
  };
  if (document.directives?.docStart === true && /^%/m.test(text)) {
    found.push({ offset: 0, message: "directives (`%…`) are not allowed" });
  }
  visit(document, {
    Alias: (_key, node) => add(node, "aliases (`*name`) are not allowed; quote a value that begins with `*`"),
    Node: (_key, node) => {
      if ("anchor" in node && node.anchor !== undefined) add(node, "anchors (`&name`) are not allowed");
      if (node.tag?.startsWith("!") || isExplicitTag(node)) add(node, "tags (`!name`) are not allowed");
    },
  });
  return found;
}

/** `!!str` resolves to the same tag that an untagged scalar has none of. */
const isExplicitTag = (node: Node): boolean => (isScalar(node) || isCollection(node)) && node.tag !== undefined;

function lineOf(document: Document, path: readonly PropertyKey[], lines: LineCounter): number {
  let node: unknown = document.contents;
  let offset = 0;
  for (const part of path) {
    if (isMap(node)) {
      const pair = node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(part));
      if (pair === undefined) break;
      offset = (pair.key as Node).range?.[0] ?? offset;
      node = pair.value;
    } else if (isCollection(node)) {
      node = node.items[Number(part)];
      offset = (node as Node | undefined)?.range?.[0] ?? offset;
    } else break;
  }
  return lines.linePos(offset).line;
}

function pathText(path: readonly PropertyKey[]): string {
  return path
    .map((part, index) => (typeof part === "number" ? `[${part}]` : `${index === 0 ? "" : "."}${String(part)}`))
    .join("");
}
