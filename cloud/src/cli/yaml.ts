/** YAML 1.2 files of this command line, without what surprises: no anchors, aliases, tags, duplicate keys or second documents. */
import { type Document, LineCounter, parseAllDocuments, visit } from "yaml";
import { CliError, EXIT } from "./exit.ts";

const MAX_BYTES = 4 * 2 ** 20;

/** JSON is YAML, too. @throws CliError with every mistake and its line */
export function readYaml(text: string, name: string): unknown {
  if (Buffer.byteLength(text) > MAX_BYTES) throw notRead(name, ["it is larger than 4 MiB"]);
  const lines = new LineCounter();
  const options = { version: "1.2", uniqueKeys: true, stringKeys: true, merge: false, prettyErrors: false } as const;
  const documents = parseAllDocuments(text, { ...options, lineCounter: lines });
  const [document] = Array.isArray(documents) ? documents : [];
  if (document === undefined) throw notRead(name, ["it is empty"]);
  if (documents.length > 1) throw notRead(name, ["it holds more than one document"]);
  const found = problemsOf(document as Document).map(({ at, message }) => `line ${lines.linePos(at).line}: ${message}`);
  if (found.length > 0) throw notRead(name, found);
  return (document as Document).toJS({ maxAliasCount: 0 });
}

function problemsOf(document: Document): { at: number; message: string }[] {
  const found = [...document.errors, ...document.warnings].map(({ pos, message }) => ({ at: pos[0], message }));
  visit(document, {
    Alias: (_key, node) =>
      void found.push({ at: node.range?.[0] ?? 0, message: "aliases (`*name`) are not known here" }),
    Node: (_key, node) => {
      if ("anchor" in node && node.anchor !== undefined) {
        found.push({ at: node.range?.[0] ?? 0, message: "anchors (`&name`) are not known here" });
      }
      if (node.tag?.startsWith("!") === true)
        found.push({ at: node.range?.[0] ?? 0, message: "tags are not known here" });
    },
  });
  return found;
}

const notRead = (name: string, problems: readonly string[]): CliError =>
  new CliError(
    EXIT.usage,
    `${name} cannot be read: ${problems.slice(0, 8).join("; ")}`,
    "Mend the file, then try again.",
  );
