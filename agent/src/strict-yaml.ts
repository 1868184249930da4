/** YAML 1.2 without what surprises: no anchors, aliases, tags, duplicate keys or second documents. */
import { parseAllDocuments, visit } from "yaml";

const MAX_BYTES = 256 * 1024;

/** @returns the plain value. @throws Error with line and column, in words for the file's owner. */
export function parseStrictYaml(text: string): unknown {
  if (Buffer.byteLength(text) > MAX_BYTES) throw new Error("the file is larger than 256 KiB");
  const documents = parseAllDocuments(text, { version: "1.2", uniqueKeys: true, merge: false, prettyErrors: true });
  const document = Array.isArray(documents) ? documents[0] : undefined;
  if (document === undefined) throw new Error("the file is empty");
  if (documents.length > 1) throw new Error("the file holds more than one document");
  const problem = document.errors[0] ?? document.warnings[0];
  if (problem !== undefined) throw new Error(problem.message.split("\n")[0] ?? "not YAML");
  visit(document, {
    Alias: () => {
      throw new Error("anchors and aliases (`&name`, `*name`) are not allowed; quote a value that begins with `*`");
    },
    Node: (_key, node) => {
      if ("anchor" in node && node.anchor !== undefined) throw new Error("anchors (`&name`) are not allowed");
      if (node.tag?.startsWith("!")) throw new Error("tags (`!name`) are not allowed");
    },
  });
  return document.toJS({ maxAliasCount: 0 });
}
