/** Rules over the repository as a whole: one driver, known errors, files of a readable size. */
import { isTest, type Source, tokens } from "./source.ts";

interface Lock {
  readonly packages: Readonly<Record<string, { readonly version?: string }>>;
}

/** Each place where `name` is installed, with its version. */
export const installedVersions = ({ packages }: Lock, name: string): string[] =>
  Object.entries(packages)
    .filter(([path]) => path === `node_modules/${name}` || path.endsWith(`/node_modules/${name}`))
    .map(([, { version }]) => version ?? "?");

const TABLE = "shared/src/protocol/errors.ts";

/** Codes that no source but the table names. Whether a person can meet them, only a use can tell. */
export function unusedCodes(sources: readonly Source[], codes: readonly string[]): string[] {
  const used = new Set(
    sources
      .filter((source) => source.path !== TABLE && !source.path.startsWith("test/") && !isTest(source))
      .flatMap(({ text }) => tokens(text))
      .filter(({ kind }) => kind === "text")
      .map(({ value }) => value),
  );
  return codes.filter((code) => !used.has(code));
}

export const MAX_LINES = 350;

/** Files longer than a reader should have to hold in mind. */
export const longFiles = (sources: readonly Source[]): string[] =>
  sources.filter(({ text }) => text.replace(/\n$/, "").split("\n").length > MAX_LINES).map(({ path }) => path);
