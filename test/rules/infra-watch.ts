/** What alerts and the workbook look for in the logs has to be what the product writes there. */
import { type Source, tokens } from "./source.ts";

/** Of Azure, not of the product. */
const AZURE: ReadonlySet<string> = new Set(["MICROSOFT.KEYVAULT"]);

/** The texts that queries compare with: `has "…"`, `has_any ("…", "…")`, `== "…"`. */
export function watchedTexts(text: string): string[] {
  const queries = text.replaceAll('\\"', '"');
  const lists = [...queries.matchAll(/(?:has_any \(([^)]*)\)|(?:has|==) ("[^"]*"))/g)];
  return lists.flatMap(([, many, one]) => [...(many ?? one ?? "").matchAll(/"([^"]*)"/g)].map(([, each]) => each!));
}

/** One sentence for each text that no source of the orchestrator has. */
export function watchFaults(files: readonly Source[], sources: readonly Source[]): string[] {
  const written = sources
    .filter(({ path }) => path.startsWith("cloud/src/") && !path.endsWith(".test.ts"))
    .flatMap(({ text }) => tokens(text))
    .filter(({ kind }) => kind === "text")
    .map(({ value }) => value);
  return files.flatMap(({ path, text }) =>
    watchedTexts(text)
      .filter((watched) => !AZURE.has(watched) && !written.some((each) => each.includes(watched)))
      .map((watched) => `${path} looks for ${JSON.stringify(watched)}, which nobody writes`),
  );
}
