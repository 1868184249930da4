/** What the rules of a directory's connection make of a request: the built-in denies first, then the owner's, then who allows it. */
import type { DirectoryOperation } from "@sallyport/shared/schema/directory-operations.ts";
import {
  type DirectoryConnection,
  type DirectoryDenyRule,
  type DirectoryRule,
  isDirectoryWriteRule,
} from "@sallyport/shared/schema/policy-directory.ts";
import type { DirectoryGrant } from "../../connectors/directory-grant.ts";
import { hasName } from "../../names.ts";
import { mayBeWithin } from "../../place.ts";
import { elsewhere, type Fit } from "../fit.ts";
import type { Ruling } from "../ruling.ts";
import { filteredBy, neverRead, readFit } from "./read.ts";
import { attributesWritten, placesOf, whyInvalid, whyNeverWritten, writeFit } from "./write.ts";

/** @param inForce rules that end later, and are for this caller */
export function judgeDirectory(
  connection: DirectoryConnection,
  operation: DirectoryOperation,
  inForce: readonly DirectoryRule[],
): Ruling<DirectoryGrant> {
  if (operation.op === "ad.write") {
    const never = whyNeverWritten(operation);
    if (never !== undefined) return { refused: { code: "policy.denied", reason: never } };
    const invalid = whyInvalid(operation);
    if (invalid !== undefined) return { refused: invalid };
  } else {
    const never = neverRead(operation);
    if (never !== undefined) return { refused: { code: "policy.denied", reason: `${never} is never read.` } };
  }
  const denials = connection.rules.filter((rule) => "deny" in rule);
  const near = denials.filter((rule) => reaches(rule, operation));
  const against = near.find(({ attributes }) => attributes === undefined || touches(attributes, operation));
  if (against !== undefined) {
    return { refused: { code: "policy.denied", reason: "A rule denies what lies there.", rule: against.id } };
  }
  const denied = near.flatMap(({ attributes }) => attributes ?? []);
  return {
    fits: inForce.flatMap((rule) =>
      "deny" in rule ? [] : [{ rule, fit: fitOf(rule, operation, inForce, denials, denied) }],
    ),
  };
}

function fitOf(
  rule: Exclude<DirectoryRule, DirectoryDenyRule>,
  operation: DirectoryOperation,
  inForce: readonly DirectoryRule[],
  denials: readonly DirectoryDenyRule[],
  denied: readonly string[],
): Fit<DirectoryGrant> {
  if (operation.op === "ad.write") {
    return isDirectoryWriteRule(rule) ? writeFit(rule, operation, denials, denied) : elsewhere;
  }
  return isDirectoryWriteRule(rule) ? elsewhere : readFit(rule, operation, inForce, denials, denied);
}

/** What reaches into a denied place is denied whole: nothing of it is left out silently. */
function reaches(rule: DirectoryDenyRule, operation: DirectoryOperation): boolean {
  if (operation.op === "ad.schema") return false;
  const places = operation.op === "ad.write" ? placesOf(operation) : [operation.base];
  const isIn = (place: string): boolean => rule.bases.some((base) => mayBeWithin(place, base));
  const whole = takesAllBelow(operation);
  return places.some(isIn) || (whole !== undefined && rule.bases.some((base) => mayBeWithin(base, whole)));
}

/** The object with which the request reaches what lies below it: what is moved or deleted takes that along. */
function takesAllBelow(operation: Exclude<DirectoryOperation, { op: "ad.schema" }>): string | undefined {
  if (operation.op === "ad.write") return operation.object;
  return operation.op === "ad.search" && operation.scope === "base" ? undefined : operation.base;
}

/** Only the directory's schema knows which name has which OID: where one side is an OID, they may be the same. */
function touches(denied: readonly string[], operation: DirectoryOperation): boolean {
  if (operation.op === "ad.schema") return false;
  const asked = askedBy(operation);
  if (asked === "*") return true;
  return asked.some((name) => isOid(name) || denied.some(isOid) || hasName(denied, name));
}

function askedBy(operation: Exclude<DirectoryOperation, { op: "ad.schema" }>): "*" | readonly string[] {
  if (operation.op === "ad.write") return attributesWritten(operation);
  return operation.attributes === "*" ? "*" : [...operation.attributes, ...filteredBy(operation)];
}

const isOid = (attribute: string): boolean => /^[0-9]/.test(attribute);
