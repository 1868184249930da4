/** TypeScript sources as the rules see them: files of the repository, and a text's tokens without its comments. */
import { readdirSync, readFileSync } from "node:fs";
import { join, sep } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT: string = fileURLToPath(new URL("../..", import.meta.url));

/** `path` is relative to the repository, with forward slashes. */
export interface Source {
  readonly path: string;
  readonly text: string;
}

export interface Token {
  /** `text`: a string, a template's fixed part or a regular expression; its value is what stands between the quotes. */
  readonly kind: "word" | "text" | "sign";
  readonly value: string;
}

const WORKSPACE_FOLDERS = ["shared/src", "agent/src", "cloud/src", "test"];

/** Every TypeScript file of the four workspaces. */
export function readSources(): Source[] {
  return WORKSPACE_FOLDERS.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((file) => !file.includes(`${sep}node_modules${sep}`))
      .map((file) => ({
        path: file.slice(ROOT.length).replaceAll(sep, "/"),
        text: readFileSync(file, "utf8"),
      })),
  );
}

/** Whether a file is loaded by tests only. */
export const isTest = ({ path }: Source): boolean => /(\.test|\/test-[a-z-]+)\.ts$/.test(path);

const SPACE = /(?:\s|\/\/.*|\/\*[\s\S]*?\*\/)+/y;
const WORD = /[\p{ID_Continue}$#]+/uy;
const QUOTED = /"(?:[^"\\\n]|\\[\s\S])*"|'(?:[^'\\\n]|\\[\s\S])*'/y;
const TEMPLATE_TEXT = /(?:[^`\\$]|\\[\s\S]|\$(?!\{))*/y;
const REGEX = /\/(?:[^\\/[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+\/[a-z]*/y;
/** Words after which a slash begins a regular expression; after any other word it divides. */
const BEFORE_REGEX = new Set(["return", "typeof", "case", "in", "of", "do", "else", "void", "throw", "await", "yield"]);

/** The tokens of a TypeScript text, comments and white space left out. Enough to find calls and imports, no parser. */
export function tokens(text: string): Token[] {
  const found: Token[] = [];
  const templates: number[] = [];
  let at = 0;
  let depth = 0;
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    const matched = pattern.exec(text)?.[0];
    at += matched?.length ?? 0;
    return matched;
  };
  const templateText = () => {
    found.push({ kind: "text", value: match(TEMPLATE_TEXT) ?? "" });
    if (text.startsWith("${", at)) templates.push(depth++);
    at += text[at] === "$" ? 2 : 1;
  };
  const sign = (value: string) => {
    at += 1;
    if (value === "`") return templateText();
    if (value === "{") depth += 1;
    if (value === "}") {
      depth -= 1;
      if (templates.at(-1) === depth) {
        templates.pop();
        return templateText();
      }
    }
    found.push({ kind: "sign", value });
  };
  while (at < text.length) {
    if (match(SPACE)) continue;
    const word = match(WORD);
    if (word !== undefined) {
      found.push({ kind: "word", value: word });
      continue;
    }
    const quoted = match(QUOTED) ?? (text[at] === "/" && mayBeRegex(found.at(-1)) ? match(REGEX) : undefined);
    if (quoted !== undefined) found.push({ kind: "text", value: quoted.slice(1, -1) });
    else sign(text[at]!);
  }
  return found;
}

function mayBeRegex(before: Token | undefined): boolean {
  if (before === undefined) return true;
  if (before.kind === "word") return BEFORE_REGEX.has(before.value);
  return before.kind === "sign" && !/[)\]}]/.test(before.value);
}

/** Whether `wanted` stands somewhere in the tokens in a row; a string in quotes stands for a text token. */
export function hasSequence(all: readonly Token[], ...wanted: readonly string[]): boolean {
  return positionsOf(all, ...wanted).length > 0;
}

/** Where `wanted` begins. */
export function positionsOf(all: readonly Token[], ...wanted: readonly string[]): number[] {
  const fits = (token: Token | undefined, value: string) =>
    token !== undefined && (token.kind === "text" ? `"${token.value}"` : token.value) === value;
  return all.flatMap((_, start) => (wanted.every((value, index) => fits(all[start + index], value)) ? [start] : []));
}

/** What a text imports: `from "x"`, `import "x"`, `import("x")`, `require("x")`, `resolve("x")`. */
export function importsOf(text: string): string[] {
  const all = tokens(text);
  return all.flatMap((token, index) => {
    if (token.kind !== "text") return [];
    const [previous, before] = [all[index - 1], all[index - 2]];
    const isFrom = previous?.kind === "word" && (previous.value === "from" || previous.value === "import");
    const isCall = previous?.value === "(" && /^(import|require|resolve)$/.test(before?.value ?? "");
    return isFrom || isCall ? [token.value] : [];
  });
}
