/** From the text of a policy file to a policy, or to every mistake in it with its path and line. */
import { createHash } from "node:crypto";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { type Policy, policy } from "@sallyport/shared/schema/policy.ts";
import { type Document, isCollection, isMap, isScalar, LineCounter, type Node, parseAllDocuments, visit } from "yaml";
import { conflicts } from "./policy-conflicts.ts";

const MAX_BYTES = 256 * 1024;
/** More than this is one mistake with many consequences. */
const MAX_PROBLEMS = 100;

export interface PolicyProblem {
  /** `connections.erp.rules[0].tables`; empty for the file itself. */
  readonly path: string;
  /** From 1. */
  readonly line: number;
  readonly message: string;
}

/**
 * Reads a policy file: YAML 1.2 without anchors, aliases, tags or duplicate keys, at most 256 KiB, nothing unknown in it.
 * @param now for the rules whose `until` may not be far away.
 * @throws SallyportError `policy.invalid`; `detail.problems` has one line for each mistake.
 */
export function parsePolicy(text: string, now: Date = new Date()): Policy {
  if (Buffer.byteLength(text) > MAX_BYTES) fail([{ path: "", line: 1, message: "the file is larger than 256 KiB" }]);
  const lines = new LineCounter();
  const document = readYaml(text, lines);
  const value: unknown = document.toJS({ maxAliasCount: 0 });
  const result = policy.safeParse(value);
  const problems: PolicyProblem[] = [];
  const add = (path: readonly PropertyKey[], message: string): void => {
    problems.push({ path: pathText(path), line: lineOf(document, path, lines), message });
  };
  for (const issue of result.error?.issues ?? []) {
    if (issue.code === "unrecognized_keys") for (const key of issue.keys) add([...issue.path, key], "unknown key");
    else if (issue.code === "invalid_key") add(issue.path, issue.issues[0]?.message ?? issue.message);
    else add(issue.path, issue.message);
  }
  for (const conflict of conflicts(value, now)) add(conflict.path, conflict.message);
  if (!result.success || problems.length > 0) fail(problems);
  return result.data;
}

/** SHA-256 of the file's bytes, base64url: what the hello and the journal call the policy. */
export function digestPolicy(text: string | Uint8Array): string {
  return createHash("sha256").update(text).digest("base64url");
}

function readYaml(text: string, lines: LineCounter): Document {
  const problems: PolicyProblem[] = [];
  const add = (offset: number, message: string): void => {
    problems.push({ path: "", line: lines.linePos(offset).line, message });
  };
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
    return fail([{ path: "", line: 1, message: "not YAML" }]);
  }
  const document = Array.isArray(documents) ? documents[0] : undefined;
  if (document === undefined) return fail([{ path: "", line: 1, message: "the file is empty" }]);
  if (documents.length > 1) add(0, "the file holds more than one document");
  if (document.directives?.docStart === true && /^%/m.test(text)) add(0, "directives (`%…`) are not allowed");
  for (const error of [...document.errors, ...document.warnings]) add(error.pos[0], error.message);
  visit(document, {
    Alias: (_key, node) =>
      add(node.range?.[0] ?? 0, "aliases (`*name`) are not allowed; quote a value that begins with `*`"),
    Node: (_key, node) => {
      const start = node.range?.[0] ?? 0;
      if ("anchor" in node && node.anchor !== undefined) add(start, "anchors (`&name`) are not allowed");
      if (node.tag?.startsWith("!") || isExplicitTag(node)) add(start, "tags (`!name`) are not allowed");
    },
  });
  return problems.length > 0 ? fail(problems) : document;
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

function fail(problems: readonly PolicyProblem[]): never {
  const sorted = [...problems].sort((a, b) => a.line - b.line).slice(0, MAX_PROBLEMS);
  const texts = sorted.map(({ line, path, message }) => `line ${line}${path === "" ? "" : `, ${path}`}: ${message}`);
  throw new SallyportError("policy.invalid", `The policy has ${texts.length} mistake(s):\n${texts.join("\n")}`, {
    problems: texts,
  });
}
