/** Whether what an executor says of a directory can be of the rule that it names: by masked names, as nobody tells more. */
import {
  type DirectoryConnection,
  type DirectoryRule,
  isDirectoryReadRule,
} from "@sallyport/shared/schema/policy-directory.ts";
import { maskDn } from "../journal/object.ts";
import type { RequestReport } from "../pipe/messages.ts";
import { isWithin } from "../place.ts";

type AllowRule = Exclude<DirectoryRule, { deny: unknown }>;

const WORDS: Readonly<Record<string, string>> = {
  "ad.search": "search",
  "ad.changes": "changes",
  "ad.schema": "schema",
};

/** Both sides without people: what lies elsewhere by that cannot be there. */
const mayBeWithin = (object: string, bases: readonly string[]): boolean =>
  bases.some((base) => isWithin(object, maskDn(base) ?? base));

/** One whose name is told whole hides nothing of what it denies. */
const isDenied = (object: string, { rules }: DirectoryConnection): boolean =>
  rules.some(
    (rule) =>
      "deny" in rule &&
      rule.attributes === undefined &&
      rule.bases.some((base) => maskDn(base) === base && isWithin(object, base)),
  );

/** A password and a deletion are counted; an `add` where it sets a password, which nobody but the executor sees. */
function isCounted(action: string, rows: number | undefined, words: readonly string[]): boolean {
  if (action === "setPassword" || action === "delete") return rows === 1;
  return rows === undefined || (rows === 1 && action === "add" && words.includes("setPassword"));
}

export function isOfRule(
  { op, action, object, rows }: RequestReport,
  rule: AllowRule,
  connection: DirectoryConnection,
): boolean {
  const words: readonly string[] = rule.allow;
  if (isDirectoryReadRule(rule)) {
    if (rows !== undefined) return false;
    const word = WORDS[op];
    if (word === undefined || !words.includes(word)) return false;
    if (object === undefined) return op === "ad.schema";
    return mayBeWithin(object, rule.bases) && !isDenied(object, connection);
  }
  if (op !== "ad.write" || action === undefined || !words.includes(action) || object === undefined) return false;
  if (!isCounted(action, rows, words)) return false;
  const places = "destinations" in rule ? [...rule.bases, ...(rule.destinations ?? [])] : rule.bases;
  return mayBeWithin(object, places) && !isDenied(object, connection);
}
