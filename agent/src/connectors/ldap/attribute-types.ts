/** What the directory's own schema says of attributes and classes: names, OIDs, syntaxes [MS-ADTS 3.1.1.2]. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { EqualityFilter, type Filter, OrFilter } from "ldapts";
import type { Entry } from "./message.ts";
import { searchAll } from "./query.ts";
import type { Directory } from "./root-dse.ts";

export interface AttributeType {
  readonly name: string;
  readonly oid: string;
  /** `2.5.5.…` */
  readonly syntax: string;
  readonly isSingle: boolean;
  /** Made when it is asked for by name, and no part of a wish for all. */
  readonly isConstructed: boolean;
}

export interface ClassType {
  readonly name: string;
  readonly oid: string;
  readonly parent: string;
  readonly kind: "structural" | "abstract" | "auxiliary";
  /** Classes whose attributes its objects have besides. */
  readonly auxiliary: readonly string[];
  readonly must: readonly string[];
  readonly may: readonly string[];
}

/** By lower-case name and by OID. */
export type AttributeTypes = ReadonlyMap<string, AttributeType>;
export type ClassTypes = ReadonlyMap<string, ClassType>;

const PAGE_SIZE = 500;
/** Names in one filter. */
const NAMES_AT_ONCE = 100;
const CONSTRUCTED = 0x4;
const OID = /^[0-9]/;

/** Values of an entry's attribute as text. */
export const textsOf = (entry: Entry | undefined, wanted: string): string[] =>
  (entry?.attributes.find(({ name }) => name.toLowerCase() === wanted.toLowerCase())?.values ?? []).map((value) =>
    value.toString("utf8"),
  );
const textOf = (entry: Entry, wanted: string): string => textsOf(entry, wanted)[0] ?? "";

const ATTRIBUTE = ["lDAPDisplayName", "attributeID", "attributeSyntax", "isSingleValued", "systemFlags"];
const CLASS = [
  ...["lDAPDisplayName", "governsID", "subClassOf", "objectClassCategory", "auxiliaryClass", "systemAuxiliaryClass"],
  ...["mustContain", "systemMustContain", "mayContain", "systemMayContain"],
];

const attributeOf = (entry: Entry): AttributeType => ({
  name: textOf(entry, "lDAPDisplayName"),
  oid: textOf(entry, "attributeID"),
  syntax: textOf(entry, "attributeSyntax"),
  isSingle: textOf(entry, "isSingleValued") === "TRUE",
  isConstructed: (Number(textOf(entry, "systemFlags")) & CONSTRUCTED) !== 0,
});

const KINDS = { "2": "abstract", "3": "auxiliary" } as const;

function classOf(entry: Entry): ClassType {
  const both = (name: string): string[] =>
    [name, `system${name[0]!.toUpperCase()}${name.slice(1)}`].flatMap((each) => textsOf(entry, each));
  const category = textOf(entry, "objectClassCategory");
  return {
    name: textOf(entry, "lDAPDisplayName"),
    oid: textOf(entry, "governsID"),
    parent: textOf(entry, "subClassOf"),
    kind: category === "2" || category === "3" ? KINDS[category] : "structural",
    auxiliary: both("auxiliaryClass"),
    must: both("mustContain"),
    may: both("mayContain"),
  };
}

/** The attributes of these names and OIDs, where the schema has them. @throws SallyportError */
export function readAttributeTypes(directory: Directory, wanted: readonly string[]): Promise<AttributeTypes> {
  return readTypes(directory, "attributeSchema", "attributeID", ATTRIBUTE, attributeOf, wanted);
}

/** The same for classes. @throws SallyportError */
export function readClassTypes(directory: Directory, wanted: readonly string[]): Promise<ClassTypes> {
  return readTypes(directory, "classSchema", "governsID", CLASS, classOf, wanted);
}

/** All that the schema has. @throws SallyportError */
export async function readWholeSchema(
  directory: Directory,
): Promise<{ readonly attributes: AttributeTypes; readonly classes: ClassTypes }> {
  const attributes = await readTypes(directory, "attributeSchema", "attributeID", ATTRIBUTE, attributeOf);
  return { attributes, classes: await readTypes(directory, "classSchema", "governsID", CLASS, classOf) };
}

async function readTypes<T extends { readonly name: string; readonly oid: string }>(
  { connection, root }: Directory,
  objectClass: "attributeSchema" | "classSchema",
  oidAttribute: string,
  attributes: readonly string[],
  typeOf: (entry: Entry) => T,
  wanted?: readonly string[],
): Promise<Map<string, T>> {
  const types = new Map<string, T>();
  for (const filter of filtersFor(objectClass, oidAttribute, wanted)) {
    const query = { base: root.schema, scope: "one", filter, attributes } as const;
    for await (const entry of searchAll(connection, query, PAGE_SIZE)) {
      const type = typeOf(entry);
      if (type.name === "" || type.oid === "") {
        throw new SallyportError("directory.protocol", "The directory's schema has a type without a name.");
      }
      types.set(type.name.toLowerCase(), type);
      types.set(type.oid, type);
    }
  }
  return types;
}

function filtersFor(objectClass: string, oidAttribute: string, wanted: readonly string[] | undefined): Filter[] {
  if (wanted === undefined) return [new EqualityFilter({ attribute: "objectClass", value: objectClass })];
  const names = [...new Set(wanted.map((name) => name.toLowerCase()))];
  const filters: Filter[] = [];
  for (let at = 0; at < names.length; at += NAMES_AT_ONCE) {
    const some = names.slice(at, at + NAMES_AT_ONCE);
    const each = some.map(
      (value) => new EqualityFilter({ attribute: OID.test(value) ? oidAttribute : "lDAPDisplayName", value }),
    );
    filters.push(new OrFilter({ filters: each }));
  }
  return filters;
}

/** Names of the attributes that an object of this class may have: its own, its parents', and those of what they are joined with. */
export function attributesOfClass(classes: ClassTypes, name: string): Set<string> {
  const found = new Set<string>();
  const seen = new Set<string>();
  const waiting = [name];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const type = classes.get(next.toLowerCase());
    if (type === undefined || seen.has(type.oid)) continue;
    seen.add(type.oid);
    for (const attribute of [...type.must, ...type.may]) found.add(attribute);
    waiting.push(type.parent, ...type.auxiliary);
  }
  return found;
}
