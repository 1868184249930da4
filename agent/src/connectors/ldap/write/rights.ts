/** Rights that a change needs: what the directory says of them beforehand, and what they are called. */
import type { AdWrite } from "@sallyport/shared/schema/directory-operations.ts";
import { readAttributeTypes, textsOf } from "../attribute-types.ts";
import { findOne } from "../query.ts";
import type { Directory } from "../root-dse.ts";

/** As Windows' own dialogues and `dsacls` call them. */
export const RIGHTS: Readonly<Record<AdWrite["action"], string>> = {
  add: "Create child objects of this class",
  modify: "Write property, of each attribute",
  members: "Write property: member",
  rename: "Write property: name, and cn or ou",
  move: "Delete where it is, and Create child objects where it goes",
  delete: "Delete, or Delete child objects above it",
  setPassword: "Reset password",
};

/** What of a change the directory can be asked about: attributes of an object, objects of a class below another. */
export interface Needs {
  readonly attributes?: { readonly of: string; readonly names: readonly string[] };
  readonly class?: { readonly under: string; readonly name: string };
}

/** What of it the login may not do, by the names that the request has. Told in a dry run. */
interface Lacking {
  readonly mayNotWrite: readonly string[];
  readonly mayNotCreate: readonly string[];
}

/**
 * Asks the directory [MS-ADTS 3.1.1.4.5.5, 3.1.1.4.5.7]. What it does not tell that way is not found out: rights to delete, to
 * rename and to set a password.
 * @throws SallyportError
 */
export async function lackingOf(directory: Directory, { attributes, class: made }: Needs): Promise<Lacking> {
  const told = async (base: string, attribute: string): Promise<ReadonlySet<string>> => {
    const found = await findOne(directory.connection, { base, scope: "base", attributes: [attribute] });
    return new Set(textsOf(found, attribute).map((name) => name.toLowerCase()));
  };
  let mayNotWrite: readonly string[] = [];
  if (attributes !== undefined) {
    const allowed = await told(attributes.of, "allowedAttributesEffective");
    // A request may name one by its OID.
    const types = await readAttributeTypes(directory, attributes.names);
    const nameOf = (name: string): string => types.get(name.toLowerCase())?.name ?? name;
    mayNotWrite = [...new Set(attributes.names)].filter((name) => !allowed.has(nameOf(name).toLowerCase()));
  }
  const isMade =
    made === undefined || (await told(made.under, "allowedChildClassesEffective")).has(made.name.toLowerCase());
  return { mayNotWrite, mayNotCreate: isMade ? [] : [made.name] };
}
