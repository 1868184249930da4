/** What the owner's rules leave of a request that reads a directory. */
import type { AdChanges, AdSchema, AdSearch } from "@sallyport/shared/schema/directory-operations.ts";
import { attributesOf } from "@sallyport/shared/schema/filter.ts";
import {
  type DirectoryDenyRule,
  type DirectoryReadRule,
  type DirectoryRule,
  isDirectoryReadRule,
} from "@sallyport/shared/schema/policy-directory.ts";
import type { DirectoryGrant } from "../../connectors/directory-grant.ts";
import { hasName } from "../../names.ts";
import { isWithin } from "../../place.ts";
import { elsewhere, type Fit, nearly } from "../fit.ts";
import { isNeverFilteredBy, isNeverRead, NEVER_READ_ARCS, NEVER_READ_OIDS } from "./never.ts";

export type DirectoryReading = AdSearch | AdChanges | AdSchema;

const WORDS = { "ad.search": "search", "ad.changes": "changes", "ad.schema": "schema" } as const;

export const filteredBy = (operation: DirectoryReading): string[] =>
  operation.op === "ad.search" && operation.filter !== undefined ? attributesOf(operation.filter) : [];

/** A secret that the request names, to be shown or to be compared with. */
export function neverRead(operation: DirectoryReading): string | undefined {
  const shown = operation.op === "ad.schema" || operation.attributes === "*" ? [] : operation.attributes;
  return shown.find(isNeverRead) ?? filteredBy(operation).find(isNeverFilteredBy);
}

/** @param denials every rule that denies; @param denied attributes of those near the base that the request gives */
export function readFit(
  rule: DirectoryReadRule,
  operation: DirectoryReading,
  inForce: readonly DirectoryRule[],
  denials: readonly DirectoryDenyRule[],
  denied: readonly string[],
): Fit<DirectoryGrant> {
  const word = WORDS[operation.op];
  if (operation.op !== "ad.schema" && !rule.bases.some((base) => isWithin(operation.base, base))) return elsewhere;
  if (!rule.allow.includes(word)) return nearly(`does not say \`${word}\``);
  const { id, bases, classes, attributes } = rule;
  if (operation.op === "ad.schema") {
    if (operation.class !== undefined && !covers(classes, [operation.class])) return nearly("does not list this class");
    const shown = inForce.filter(isDirectoryReadRule).filter(({ allow }) => allow.includes("schema"));
    return { grant: { kind: "directorySchema", rule: id, bases, classes, shown } };
  }
  const missing = firstNot(classes, operation.classes) ?? firstNot(attributes, operation.attributes);
  if (missing !== undefined) return nearly(`does not list ${missing}`);
  const filterable = rule.filterOn ?? attributes;
  const hidden = firstNot(filterable, filteredBy(operation));
  if (hidden !== undefined) return nearly(`does not let a filter look at ${hidden}`);
  const never = { oids: NEVER_READ_OIDS, arcs: NEVER_READ_ARCS };
  return { grant: { kind: "directoryRead", rule: id, bases, classes, attributes, denials, denied, neverRead: never } };
}

/** `*` asks for every attribute, so only a rule for every one allows it. */
function firstNot(allowed: "*" | readonly string[], asked: "*" | readonly string[]): string | undefined {
  if (allowed === "*") return undefined;
  return asked === "*" ? "every attribute" : asked.find((name) => !hasName(allowed, name));
}

const covers = (allowed: "*" | readonly string[], asked: readonly string[]): boolean =>
  firstNot(allowed, asked) === undefined;
