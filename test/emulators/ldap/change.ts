/** What changes an object [RFC 4511 4.6 to 4.8]: add, modify, delete. No rights, no rules of the schema, no password policy. */
import { integer, type Node, text } from "./ber.ts";
import type { Store, Values } from "./store.ts";
import { splitName } from "./store.ts";

export const CHANGES = { modify: 0x66, add: 0x68, delete: 0x4a } as const;

export interface Changed {
  readonly code: number;
  readonly diagnostic: string;
}

const done: Changed = { code: 0, diagnostic: "" };
const noSuchObject: Changed = {
  code: 32,
  diagnostic: "0000208D: NameErr: DSID-03100288, problem 2001 (NO_OBJECT), data 0\n\0",
};
const alreadyThere: Changed = {
  code: 68,
  diagnostic: "00000524: UpdErr: DSID-031A11F8, problem 6005 (ENTRY_EXISTS), data 0\n\0",
};

/** @param operation a change's element: one of `CHANGES` */
export function change(store: Store, operation: Node): Changed {
  if (operation.tag === CHANGES.delete) {
    const dn = operation.content.toString("utf8");
    if (store.find(dn) === undefined) return noSuchObject;
    store.remove(dn);
    return done;
  }
  const [name, list] = operation.children;
  const dn = text(name);
  if (operation.tag === CHANGES.add) {
    if (store.find(dn) !== undefined) return alreadyThere;
    if (store.find(splitName(dn)[1]) === undefined) return noSuchObject;
    const { objectClass = [], ...values } = Object.fromEntries((list?.children ?? []).map(attributeOf));
    store.add(dn, String(objectClass[0] ?? "top"), values);
    return done;
  }
  const object = store.find(dn);
  if (object === undefined) return noSuchObject;
  store.set(dn, Object.fromEntries((list?.children ?? []).map((one) => modified(object.attributes, one))));
  return done;
}

const attributeOf = ({ children: [name, values] }: Node): readonly [string, Buffer[]] => [
  text(name),
  (values?.children ?? []).map(({ content }) => Buffer.from(content)),
];

/** 0 adds values, 1 takes them away, 2 replaces them. */
function modified(
  held: ReadonlyMap<string, { values: Buffer[] }>,
  { children }: Node,
): readonly [string, Values[string]] {
  const [how, attribute] = children;
  const [name, values] = attributeOf(attribute!);
  const before = held.get(name.toLowerCase())?.values ?? [];
  if (integer(how) === 2) return [name, values];
  const others = before.filter((one) => !values.some((value) => value.equals(one)));
  return [name, integer(how) === 0 ? [...others, ...values] : others];
}
