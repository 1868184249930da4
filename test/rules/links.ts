/** What pages name: links lead to a file that there is, and to a heading of it; sources are there. Pure but for the reading. */
import { readdirSync, readFileSync } from "node:fs";
import { join, posix, sep } from "node:path";
import { ROOT } from "./source.ts";

export interface Page {
  /** From the repository's root. */
  readonly path: string;
  readonly text: string;
}

const FOLDERS = ["docs", "shared", "agent", "cloud", "test", "infra", "release", "bench"];
/** Installed, or made. */
const OTHERS = /(^|\/)(node_modules|dist|\.sallyport)\//;

/** Every page of the repository. */
export function readPages(): Page[] {
  const top = readdirSync(ROOT);
  const below = FOLDERS.filter((folder) => top.includes(folder)).flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true }).map(
      (name) => `${folder}/${String(name).replaceAll(sep, "/")}`,
    ),
  );
  return [...top, ...below]
    .filter((path) => path.endsWith(".md") && !OTHERS.test(path))
    .map((path) => ({ path, text: readFileSync(join(ROOT, path), "utf8") }));
}

/** What is shown as it is, and so links nowhere. */
const withoutCode = (text: string): string =>
  text.replaceAll(/^```[\s\S]*?^```/gm, "").replaceAll(/`[^`\n]*`/g, "code");

/** A heading's anchor, as GitHub makes it: lower case, letters, digits, hyphens. */
const anchorOf = (heading: string): string =>
  heading
    .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}_ -]/gu, "")
    .trim()
    .replaceAll(" ", "-");

export const anchorsOf = (text: string): ReadonlySet<string> =>
  new Set(
    [...text.replaceAll(/^```[\s\S]*?^```/gm, "").matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) => anchorOf(heading)),
  );

/**
 * Links that lead nowhere.
 * @param exists whether the repository has a file or folder of this path
 */
export function deadLinks(pages: readonly Page[], exists: (path: string) => boolean): string[] {
  const byPath = new Map(pages.map((page) => [page.path, page]));
  return pages.flatMap(({ path, text }) =>
    [...withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target = ""]) => target)
      .filter((target) => !/^[a-z]+:/.test(target))
      .filter((target) => {
        const [file = "", anchor] = target.split("#");
        const to = file === "" ? path : posix.normalize(posix.join(posix.dirname(path), file));
        if (!exists(to)) return true;
        const page = byPath.get(to);
        return anchor !== undefined && page !== undefined && !anchorsOf(page.text).has(anchor);
      })
      .map((target) => `${path}: ${target}`),
  );
}

/**
 * Sources that a page names and nobody has; a path may begin anywhere below the root, as `executor/main.ts` does.
 * @param paths of all sources
 */
export function missingSources(pages: readonly Page[], paths: readonly string[]): string[] {
  const isThere = (name: string): boolean => paths.some((path) => path === name || path.endsWith(`/${name}`));
  return pages.flatMap(({ path, text }) =>
    [...text.matchAll(/`([\w./-]+\.ts)`/g)].flatMap(([, name = ""]) => (isThere(name) ? [] : [`${path}: ${name}`])),
  );
}
