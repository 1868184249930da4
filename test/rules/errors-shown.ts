/**
 * Which test shows each error code: found in the tests themselves, so that nothing is written down twice and nothing rots.
 * A code counts where it is what a named test demands: in an assertion, not as what the test arranges, and in no comment.
 *
 *   npx node test/rules/errors-shown.ts     list them
 */

import { posix } from "node:path";
import { fileURLToPath } from "node:url";
import { ERRORS } from "@sallyport/shared/protocol/errors.ts";
import { importsOf, readSources, type Source, type Token, tokens } from "./source.ts";

export interface Shown {
  readonly code: string;
  readonly path: string;
  readonly test: string;
}

/** What declares a test by its name. */
const TESTS: ReadonlySet<string> = new Set(["test", "it", "check"]);
/** Properties of a table of cases that say what must come of one, and functions that give such properties. */
const DEMANDS: ReadonlySet<string> = new Set(["code", "says", "end"]);
const DEMANDING: ReadonlySet<string> = new Set(["passes", "fails"]);
/** The table's own test names codes and produces none. */
const TABLE_TEST = "shared/src/protocol/errors.test.ts";
const ROOTS = /(\.test|\/suite|\.e2e)\.ts$/;

/** Each code that a test demands, and where. */
export function shownCodes(sources: readonly Source[], codes: ReadonlySet<string>): Shown[] {
  const run = loadedByTests(sources);
  return sources
    .filter(({ path }) => run.has(path))
    .flatMap(({ path, text }) => demandsOf(tokens(text), codes).map(({ code, test }) => ({ code, path, test })));
}

/** Test files, and what only they load: cases that stand in a file of their own. */
function loadedByTests(sources: readonly Source[]): ReadonlySet<string> {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const found = new Set<string>();
  const visit = (path: string) => {
    const source = byPath.get(path);
    if (source === undefined || found.has(path)) return;
    found.add(path);
    for (const name of importsOf(source.text)) {
      const target = posix.join(posix.dirname(path), name);
      // A product's file that a test loads demands nothing.
      if (name.startsWith(".") && target.startsWith("test/")) visit(target);
    }
  };
  for (const { path } of sources) if (ROOTS.test(path) && path !== TABLE_TEST) visit(path);
  return found;
}

/** An open bracket: whose call it is, which of its arguments we are in, and the name of the test or case it holds. */
interface Open {
  readonly sign: string;
  readonly callee: string;
  argument: number;
  name: string | undefined;
}

function demandsOf(all: readonly Token[], codes: ReadonlySet<string>): { code: string; test: string }[] {
  const found: { code: string; test: string }[] = [];
  const open: Open[] = [];
  for (const [at, token] of all.entries()) {
    if (token.kind === "sign") step(open, all, at);
    if (token.kind !== "text") continue;
    nameOf(open, all, at);
    if (!codes.has(token.value) || !isDemanded(open, all, at)) continue;
    const named = open.findLast(({ name }) => name !== undefined);
    if (named?.name !== undefined) found.push({ code: token.value, test: named.name });
  }
  return found;
}

function step(open: Open[], all: readonly Token[], at: number): void {
  const sign = all[at]!.value;
  if ("([{".includes(sign)) {
    const before = all[at - 1];
    const isCall = sign === "(" && before?.kind === "word";
    const isMember = isCall && all[at - 2]?.value === "." && all[at - 3]?.value !== ".";
    const callee = isCall ? `${isMember ? `${all[at - 3]?.value}.` : ""}${before.value}` : "";
    // `"a name": { … }` is a case of a table.
    const key = sign === "{" && before?.value === ":" && all[at - 2]?.kind === "text" ? all[at - 2]?.value : undefined;
    open.push({ sign, callee, argument: 0, name: key });
  } else if (")]}".includes(sign)) open.pop();
  else if (sign === ",") {
    const last = open.at(-1);
    if (last) last.argument += 1;
  }
}

/** The first argument of `test(…)`, and the property `name` of a case. */
function nameOf(open: readonly Open[], all: readonly Token[], at: number): void {
  const last = open.at(-1);
  if (last === undefined || last.name !== undefined) return;
  const isTest = last.sign === "(" && TESTS.has(last.callee) && last.argument === 0;
  const isCase = last.sign === "{" && all[at - 1]?.value === ":" && all[at - 2]?.value === "name";
  if (isTest || isCase) last.name = all[at]!.value;
}

/** Whether a text at this place is what must be: compared with, expected by an assertion, or demanded by a table of cases. */
function isDemanded(open: readonly Open[], all: readonly Token[], at: number): boolean {
  if (all[at - 1]?.value === "=" && all[at - 2]?.value === "=" && all[at - 3]?.value === "=")
    return insideAssertion(open, 0);
  if (insideAssertion(open, 1)) return true;
  const last = open.at(-1);
  if (last === undefined) return false;
  const isProperty = last.sign === "{" && all[at - 1]?.value === ":" && DEMANDS.has(all[at - 2]?.value ?? "");
  return (isProperty && last.name !== undefined) || (last.sign === "(" && DEMANDING.has(last.callee));
}

/** In an argument of an assertion, `from` which on they are what is expected; a function's body in it is one as well. */
const insideAssertion = (open: readonly Open[], from: number): boolean =>
  open.some(({ callee, argument }) => /^(assert(\.|[A-Z]|$)|refuses$)/.test(callee) && argument >= from);

export const unshownCodes = (shown: readonly Shown[], codes: Iterable<string>): string[] => {
  const there = new Set(shown.map(({ code }) => code));
  return [...codes].filter((code) => !there.has(code));
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const shown = shownCodes(readSources(), new Set(Object.keys(ERRORS)));
  for (const code of Object.keys(ERRORS)) {
    const by = shown.filter((one) => one.code === code);
    console.log(`${code}: ${by.length} ${by[0] === undefined ? "NOTHING" : `${by[0].path} "${by[0].test}"`}`);
  }
}
