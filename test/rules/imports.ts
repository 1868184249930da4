/** Who may import what. `tsc -b` lets a forbidden import of a workspace pass, so the import graph is checked here. */
import { posix } from "node:path";
import { importsOf, isTest, type Source } from "./source.ts";

/** Which workspaces each one may import by name. Within itself everything imports by relative paths. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  shared: [],
  agent: ["shared"],
  cloud: ["shared"],
  test: ["shared", "agent", "cloud"],
};

/** Programs without a workspace, which stand beside what they are for: azd's hooks, a calculator. Tests try them. */
const SCRIPTS: ReadonlySet<string> = new Set(["infra", "docs"]);

const workspaceOf = (path: string): string => path.slice(0, path.indexOf("/"));

/**
 * One sentence for each import that points the wrong way. Tests stand beside what they test, and may use the emulators of
 * the workspace `test` by a relative path.
 */
export function wrongDirections(sources: readonly Source[]): string[] {
  return sources.flatMap((source) => {
    const { path, text } = source;
    const from = workspaceOf(path);
    return importsOf(text).flatMap((name) => {
      const named = /^@sallyport\/([a-z]+)/.exec(name)?.[1];
      if (named !== undefined) return MAY_IMPORT[from]?.includes(named) ? [] : [`${path} imports ${name}`];
      if (!name.startsWith(".")) return [];
      const target = posix.join(posix.dirname(path), name);
      const to = workspaceOf(`${target}/`);
      const isTried = from === "test" && SCRIPTS.has(to);
      return to === from || isTried || (to === "test" && isTest(source))
        ? []
        : [`${path} leaves its workspace by ${name}`];
    });
  });
}

/** What only people start: neither process knows of it. */
const PEOPLE = ["doctor", "cli"];

/**
 * Folders of the agent, and those that none of their files may import. What both processes need has a folder of its own,
 * and a connector knows neither process.
 */
const APART: Readonly<Record<string, readonly string[]>> = {
  supervisor: ["executor", "connectors", "seal", ...PEOPLE],
  executor: ["supervisor", "seal", "syslog", ...PEOPLE],
  connectors: ["supervisor", "executor", "policy", "journal", "pipe", "seal", "syslog", ...PEOPLE],
  policy: ["supervisor", "executor", "journal", "pipe", "seal", "syslog", ...PEOPLE],
  journal: ["supervisor", "executor", "policy", "pipe", "seal", "syslog", ...PEOPLE],
  pipe: ["supervisor", "executor", "connectors", "seal", "syslog", ...PEOPLE],
  masks: ["supervisor", "executor", "connectors", "policy", "journal", "pipe", "seal", "syslog", ...PEOPLE],
  seal: ["supervisor", "executor", "connectors", "policy", "journal", "pipe", "masks", "syslog", ...PEOPLE],
  syslog: ["supervisor", "executor", "connectors", "policy", "pipe", "masks", "seal", ...PEOPLE],
  doctor: ["cli"],
};

const AGENT = "agent/src/";
const agentFolderOf = (path: string): string => (path.startsWith(AGENT) ? (path.split("/")[2] ?? "") : "");

/** One sentence for each import by which one process of the agent reaches into the other. Tests may. */
export function mixedProcesses(sources: readonly Source[]): string[] {
  return sources
    .filter((source) => source.path.startsWith(AGENT) && !isTest(source))
    .flatMap(({ path, text }) =>
      importsOf(text)
        .filter((name) => name.startsWith("."))
        .map((name) => posix.join(posix.dirname(path), name))
        .filter((target) => APART[agentFolderOf(path)]?.includes(agentFolderOf(target)))
        .map((target) => `${path} imports ${target}`),
    );
}

/** The product's files, tests left out, that import the package `name` or something of it. */
export function importersOf(sources: readonly Source[], name: string): string[] {
  return sources
    .filter((source) => !source.path.startsWith("test/") && !isTest(source))
    .filter(({ text }) => importsOf(text).some((one) => one === name || one.startsWith(`${name}/`)))
    .map(({ path }) => path);
}
