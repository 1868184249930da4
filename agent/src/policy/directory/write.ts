/** What the owner's rules leave of a change of one object of a directory. */
import { parentText, parseDn, type RelativeName } from "@sallyport/shared/directory/distinguished-name.ts";
import { isProtectedClass } from "@sallyport/shared/directory/protected.ts";
import type { AdWrite } from "@sallyport/shared/schema/directory-operations.ts";
import type { DirectoryDenyRule, DirectoryWriteRule } from "@sallyport/shared/schema/policy-directory.ts";
import type { DirectoryGrant } from "../../connectors/directory-grant.ts";
import { hasName } from "../../names.ts";
import { isWithin } from "../../place.ts";
import { elsewhere, type Fit, type Misuse, nearly } from "../fit.ts";
import { isAccountControl, isAccountSwitch, isNeverWritten, NEVER_WRITTEN_OIDS } from "./never.ts";

/** The attributes that a request would write, with what it would write into them. */
function written(
  operation: AdWrite,
): readonly { readonly attribute: string; readonly do: string; readonly values: readonly string[] }[] {
  if (operation.action === "add") {
    return Object.entries(operation.attributes).map(([attribute, values]) => ({ attribute, do: "set", values }));
  }
  return operation.action === "modify" ? operation.changes : [];
}

export const attributesWritten = (operation: AdWrite): string[] => written(operation).map(({ attribute }) => attribute);

/** Every place that the request touches: the object, where it goes, and who becomes a member. */
export function placesOf(operation: AdWrite): string[] {
  const { object } = operation;
  switch (operation.action) {
    case "move":
      return [object, operation.destination];
    case "rename":
      return [object, [operation.name, parentText(object) ?? []].flat().join(",")];
    case "members":
      return [object, ...operation.add, ...operation.remove];
    default:
      return [object];
  }
}

/** Why no rule of an owner can allow this change. */
export function whyNeverWritten(operation: AdWrite): string | undefined {
  if (isProtectedClass(operation.class)) return `An object of the class ${operation.class} is never written.`;
  for (const { attribute, do: how, values } of written(operation)) {
    if (isNeverWritten(attribute)) return `${attribute} is never written.`;
    if (isAccountControl(attribute) && (how !== "set" || values.length !== 1 || !values.every(isAccountSwitch))) {
      return "Of userAccountControl only the bits 0x2 and 0x200 are written, as one value that is set.";
    }
  }
  return undefined;
}

/** What the request has to mend, whatever rule there is. */
export function whyInvalid(operation: AdWrite): Misuse | undefined {
  const invalid = (reason: string): Misuse => ({ code: "request.invalid", reason });
  if (operation.action === "add" && parentText(operation.object) === undefined)
    return invalid("The root is not added.");
  if (operation.action !== "rename") return undefined;
  const [before] = parseDn(operation.object) ?? [];
  const after = parseDn(operation.name) ?? [];
  const types = (parts: RelativeName | undefined): string => (parts ?? []).map(({ type }) => type).join("+");
  if (after.length !== 1 || types(after[0]) !== types(before)) {
    return invalid("A rename gives one part of a name, of the type that the object has.");
  }
  return undefined;
}

/** @param denials every rule that denies; @param denied attributes of those near the names that the request gives */
export function writeFit(
  rule: DirectoryWriteRule,
  operation: AdWrite,
  denials: readonly DirectoryDenyRule[],
  denied: readonly string[],
): Fit<DirectoryGrant> {
  const { action, object } = operation;
  const { id, bases, classes, attributes = [], destinations = [], limits } = rule;
  const source = action === "add" ? (parentText(object) ?? "") : object;
  const home = action === "add" ? destinations : bases;
  if (!isIn(source, home)) return elsewhere;
  if (!rule.allow.includes(action)) return nearly(`does not say \`${action}\``);
  if (action === "add" && operation.password !== undefined && !rule.allow.includes("setPassword")) {
    return nearly("does not say `setPassword`, which a new object's password needs");
  }
  if (classes !== "*" && !hasName(classes, operation.class))
    return nearly(`does not list the class ${operation.class}`);
  const missing = attributesWritten(operation).find((name) => !hasName(attributes, name));
  if (missing !== undefined) return nearly(`does not list ${missing}`);
  if (action === "move" && !isIn(operation.destination, destinations)) return nearly("does not list this destination");
  if (action === "members" && ![...operation.add, ...operation.remove].every((member) => isIn(member, bases))) {
    return nearly("has no base with all of these members");
  }
  const { passwordSetsPerDay, deletesPerRun } = limits;
  return {
    grant: {
      ...{ kind: "directoryWrite", rule: id, bases, classes, attributes, destinations, denials, denied },
      ...{ neverWritten: NEVER_WRITTEN_OIDS, passwordSetsPerDay, deletesPerRun },
    },
  };
}

const isIn = (name: string, places: readonly string[]): boolean => places.some((place) => isWithin(name, place));
