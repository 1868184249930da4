/** Exports that no other file needs: what only its own file uses is not exported, and what nobody uses is not there. */
import { isTest, type Source, type Token, tokens } from "./source.ts";

const VALUES = new Set(["const", "function", "class"]);

/** Names of the values that a text exports where it declares them. */
function exportedBy(all: readonly Token[]): string[] {
  return all.flatMap(({ kind, value }, index) => {
    if (kind !== "word" || value !== "export") return [];
    const words = all.slice(index + 1, index + 5).map((token) => token.value);
    const declared = words.filter((word) => word !== "async" && word !== "*");
    return VALUES.has(declared[0] ?? "") ? [declared[1] ?? ""] : [];
  });
}

/** One sentence for each exported value of the product that no other file, a test's included, has the word for. Types are not looked at. */
export function unusedExports(sources: readonly Source[]): string[] {
  const read = sources.map((source) => ({ source, all: tokens(source.text) }));
  const files = new Map<string, number>();
  for (const { all } of read) {
    const words = new Set(all.filter(({ kind }) => kind === "word").map(({ value }) => value));
    for (const word of words) files.set(word, (files.get(word) ?? 0) + 1);
  }
  return read
    .filter(({ source }) => !source.path.startsWith("test/") && !isTest(source))
    .flatMap(({ source, all }) =>
      exportedBy(all)
        .filter((name) => files.get(name) === 1)
        .map((name) => `${source.path} exports ${name}, which no other file uses`),
    );
}
