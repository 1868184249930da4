/** docs/security/claims.md as the rules see it: numbered claims, and the tests that each one names. */
import { existsSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { importsOf, ROOT } from "./source.ts";

/** The invariants of the design, and the release. */
const CLAIMS = 13;

/** The folders of `npm test`, read from its own pattern. */
function testedFolders(): string[] {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { scripts: { test: string } };
  const folders = /\{([^}]+)\}\/\*\*\/\*\.test\.ts/.exec(scripts.test)?.[1];
  if (folders === undefined) throw new Error("the script `test` names no folders");
  return folders.split(",");
}

const FOLDERS = testedFolders();
const SYSTEM = readFileSync(join(ROOT, "test/system/main.ts"), "utf8");

/** Whether `npm test` or `npm run test:system` picks a file up, so that a named proof is one that runs. */
function isRun(path: string): boolean {
  if (path.endsWith(".test.ts")) return FOLDERS.some((folder) => path.startsWith(`${folder}/`));
  return importsOf(SYSTEM).some((name) => posix.join("test/system", name) === path);
}

export const readClaims = (): string => readFileSync(join(ROOT, "docs/security/claims.md"), "utf8");

/** Every path of this repository that stands in backticks; what has a space in it is a command. */
const pathsIn = (text: string): string[] =>
  [...text.matchAll(/`((?:shared|agent|cloud|test|docs|infra|bench)\/[^`\s]+)`/g)].map(([, path]) => path!);

const section = (text: string, heading: string): string =>
  new RegExp(`\\*\\*${heading}\\.?\\*\\*([\\s\\S]*?)(?=\\n\\*\\*|$)`).exec(text)?.[1]?.trim() ?? "";

/** One sentence for each path that is not there, and each claim without its parts, or whose proofs nobody runs. */
export function claimFaults(page: string, exists: (path: string) => boolean = isFile): string[] {
  const claims = page.split(/^## /m).slice(1);
  const numbers = claims.map((text) => Number.parseInt(text, 10));
  const expected = Array.from({ length: CLAIMS }, (_, index) => index + 1);
  const lost = pathsIn(page).filter((path) => !exists(path));
  return [
    ...lost.map((path) => `${path} is not there`),
    ...(numbers.join() === expected.join() ? [] : [`the claims are numbered ${numbers.join(", ")}`]),
    ...claims.flatMap((text) => {
      const proofs = pathsIn(section(text, "Proved by").replaceAll(/: .*/g, ""));
      return [
        ...["Claim", "Limits"]
          .filter((part) => section(text, part) === "")
          .map((part) => `claim ${Number.parseInt(text, 10)} has no ${part}`),
        ...(proofs.length > 0 ? [] : [`claim ${Number.parseInt(text, 10)} names no test`]),
        ...proofs.filter((path) => !isRun(path)).map((path) => `${path} is no test that anything runs`),
      ];
    }),
  ];
}

const isFile = (path: string): boolean => existsSync(join(ROOT, path));
