/** What a login may write, as far as a test says so, and how the directory tells of it [MS-ADTS 3.1.1.4.5.5, 3.1.1.4.5.7]. */
import { type Node, text } from "./ber.ts";
import { CHANGES } from "./change.ts";
import { ATTRIBUTE_TYPES, attributesOf, CLASS_TYPES } from "./schema.ts";
import { type Store, type Stored, splitName } from "./store.ts";

/** Undefined for all that the schema lets an object have. */
export interface Rights {
  readonly attributes?: readonly string[];
  /** Classes of objects that may be made below it. */
  readonly children?: readonly string[];
}

/** Values of these two attributes, which are made when somebody asks for them by name. */
export const effective: Readonly<Record<string, (object: Stored, rights: Rights) => readonly string[]>> = {
  allowedattributeseffective({ attributes }, rights) {
    const classes = (attributes.get("objectclass")?.values ?? []).map((value) => value.toString());
    const own = new Set(classes.flatMap(attributesOf));
    return ATTRIBUTE_TYPES.flatMap(({ name, constructed }) =>
      own.has(name) && constructed === undefined && includes(rights.attributes, name) ? [name] : [],
    );
  },
  allowedchildclasseseffective: (_, { children }) =>
    CLASS_TYPES.flatMap(({ name, category }) => (category === 1 && includes(children, name) ? [name] : [])),
};

/** A new object's own values are its maker's to choose; what is deleted asks for no right here. */
export function mayChange(store: Store, operation: Node, rightsOn: (object: Stored) => Rights): boolean {
  const [name, list] = operation.children;
  const object = store.find(operation.tag === CHANGES.add ? splitName(text(name))[1] : text(name));
  if (object === undefined || operation.tag === CHANGES.delete) return true;
  const { attributes, children } = rightsOn(object);
  if (operation.tag === CHANGES.add) {
    const values = list?.children.find(({ children: [type] }) => text(type).toLowerCase() === "objectclass")
      ?.children[1];
    return (values?.children ?? []).every((value) => includes(children, text(value)));
  }
  return (list?.children ?? []).every(({ children: [, attribute] }) =>
    includes(attributes, text(attribute?.children[0])),
  );
}

const includes = (names: readonly string[] | undefined, name: string): boolean =>
  names === undefined || names.some((one) => one.toLowerCase() === name.toLowerCase());
