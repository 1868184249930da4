/** Which attributes and objects a request comes to, once the directory's own schema has said what the names in it mean. */
import { type ErrorDetail, SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { Warning } from "@sallyport/shared/protocol/warnings.ts";
import { isWithin } from "../../place.ts";
import type { DirectoryGrant } from "../directory-grant.ts";
import {
  type AttributeType,
  type AttributeTypes,
  attributesOfClass,
  type ClassTypes,
  readAttributeTypes,
  readClassTypes,
  readWholeSchema,
} from "./attribute-types.ts";
import { heldAt } from "./denials.ts";
import { findOne } from "./query.ts";
import type { Directory } from "./root-dse.ts";

type ReadGrant = Extract<DirectoryGrant, { kind: "directoryRead" }>;

export interface Wish {
  readonly base: string;
  /** Undefined: all below the base. */
  readonly scope?: "base" | "one" | "subtree";
  readonly classes: readonly string[];
  readonly attributes: "*" | readonly string[];
  /** What its filter looks at. */
  readonly filtered: readonly string[];
}

export interface Selection {
  /** What is shown, in the request's order; `*` in the schema's. */
  readonly attributes: readonly AttributeType[];
  /** Names that the schema does not have; their columns are empty. */
  readonly unknown: readonly string[];
  readonly types: AttributeTypes;
  /** Lower-case names of the classes; an object is of the last one of its `objectClass`. */
  readonly classes: ReadonlySet<string>;
  /** The base as the directory spells it. */
  readonly base: string;
  readonly warnings: readonly Warning[];
}

/**
 * Holds the request against the rule once more, now by the schema's OIDs: a name may mean what another name hides.
 * @throws SallyportError `policy.denied`, `request.invalid`, `directory.not_found`
 */
export async function select(directory: Directory, wish: Wish, rule: ReadGrant): Promise<Selection> {
  const base = await baseOf(directory, wish.base, rule);
  const grant = whereFound(base, wish, rule);
  const all = wish.attributes === "*" ? await readWholeSchema(directory) : undefined;
  const classTypes = all?.classes ?? (await readClassTypes(directory, wish.classes));
  const classes = classesOf(wish.classes, classTypes);
  const named = wish.attributes === "*" ? [] : wish.attributes;
  const types = all?.attributes ?? (await readAttributeTypes(directory, [...named, ...wish.filtered, ...grant.denied]));
  const isHidden = hiddenBy(grant, types);
  for (const name of [...named, ...wish.filtered]) {
    if (isHidden(types.get(name.toLowerCase()))) throw denied(`The policy denies ${name}.`, { attribute: name });
  }
  const attributes =
    wish.attributes === "*"
      ? everyOne(classTypes, classes, types).filter((type) => !isHidden(type))
      : known(named, types);
  const isUnknown = (name: string): boolean => !types.has(name.toLowerCase());
  const unknown = [...new Set([...named, ...wish.filtered].filter(isUnknown))];
  const warnings: Warning[] =
    unknown.length === 0 ? [] : [{ code: "directory.unknown_attribute", facts: { attributes: unknown.slice(0, 64) } }];
  return { attributes, unknown: named.filter(isUnknown), types, classes, base, warnings };
}

const denied = (message: string, detail: ErrorDetail = {}): SallyportError =>
  new SallyportError("policy.denied", message, detail);

/** A directory takes more names for one than the policy does: what it found has to lie within the rule's bases, too. */
async function baseOf({ connection }: Directory, base: string, { bases }: ReadGrant): Promise<string> {
  const found = await findOne(connection, { base, scope: "base", attributes: ["objectClass"] });
  if (found === undefined) throw new SallyportError("directory.not_found", "The base is not there, or hidden.");
  if (bases.some((each) => isWithin(found.dn, each))) return found.dn;
  throw denied("The directory has the base under a name that the rule does not list.");
}

/**
 * The owner's denials, held against the base once more by the name that the directory has it under, which a respelt one leads to
 * as well. No entry needs that again: each lies under this base, so a denial that it lies in is at the base, above it or below it.
 */
function whereFound(base: string, { scope, attributes }: Wish, rule: ReadGrant): ReadGrant {
  const grant = heldAt(rule, [base], scope === "base" ? undefined : base);
  // As by the request's own name: of a wish for all nothing is left out silently.
  if (attributes !== "*" || grant.denied.length === rule.denied.length) return grant;
  throw denied("The policy denies attributes of what lies there.");
}

function classesOf(wanted: readonly string[], types: ClassTypes): Set<string> {
  return new Set(
    wanted.map((name) => {
      const type = types.get(name.toLowerCase());
      if (type !== undefined) return type.name.toLowerCase();
      throw new SallyportError("request.invalid", `The directory's schema has no class ${name}.`, { class: name });
    }),
  );
}

/** What is never read, and what the owner denies near there, by OID and by name. */
function hiddenBy({ neverRead, denied: names }: ReadGrant, types: AttributeTypes) {
  const oids = new Set([...neverRead.oids, ...names.map((name) => types.get(name.toLowerCase())?.oid ?? name)]);
  return (type: AttributeType | undefined): boolean =>
    type !== undefined && (oids.has(type.oid) || neverRead.arcs.some((arc) => type.oid.startsWith(arc)));
}

function known(names: readonly string[], types: AttributeTypes): AttributeType[] {
  const found = names.flatMap((name) => types.get(name.toLowerCase()) ?? []);
  const twice = found.find(({ oid }, at) => found.findIndex((other) => other.oid === oid) !== at);
  if (twice === undefined) return found;
  throw new SallyportError("request.invalid", `Two names of the request mean ${twice.name}.`, {
    attribute: twice.name,
  });
}

function everyOne(classTypes: ClassTypes, classes: ReadonlySet<string>, types: AttributeTypes): AttributeType[] {
  const names = new Set(
    [...classes].flatMap((name) => [...attributesOfClass(classTypes, name)].map((one) => one.toLowerCase())),
  );
  const all = [...new Set([...names].flatMap((name) => types.get(name) ?? []))].filter(
    ({ isConstructed }) => !isConstructed,
  );
  return all.sort((a, b) => (a.name.toLowerCase() < b.name.toLowerCase() ? -1 : 1));
}
