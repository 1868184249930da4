/** `ad.schema`: classes, their attributes, and what becomes of each as a column. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { AdSchema } from "@sallyport/shared/schema/directory-operations.ts";
import type { AdSchemaResult, SchemaAttribute } from "@sallyport/shared/schema/directory-schema.ts";
import { hasName } from "../../names.ts";
import type { Outcome } from "../connector.ts";
import type { DirectoryGrant } from "../directory-grant.ts";
import {
  type AttributeType,
  attributesOfClass,
  type ClassType,
  type ClassTypes,
  readWholeSchema,
} from "./attribute-types.ts";
import { columnOf } from "./column-type.ts";
import type { Reading } from "./search.ts";

type SchemaGrant = Extract<DirectoryGrant, { kind: "directorySchema" }>;

/** @throws SallyportError. What the policy does not show is as if it were not there. */
export async function readSchema(
  { directory, output }: Reading,
  operation: AdSchema,
  grant: SchemaGrant,
): Promise<Outcome> {
  const schema = await readWholeSchema(directory);
  const wanted = operation.class === undefined ? undefined : schema.classes.get(operation.class.toLowerCase());
  if (operation.class !== undefined && wanted === undefined) {
    throw new SallyportError("directory.not_found", "The directory's schema has no such class.");
  }
  const types = wanted === undefined ? [...new Set(schema.classes.values())] : [wanted];
  const shown = new Map<string, AttributeType>();
  const classes = types.flatMap((type) => {
    const attributes = shownOf(type, grant, schema.classes).flatMap(
      (name) => schema.attributes.get(name.toLowerCase()) ?? [],
    );
    if (attributes.length === 0) return [];
    for (const attribute of attributes) shown.set(attribute.oid, attribute);
    const { name, oid, parent, kind } = type;
    return [{ name, oid, parent, kind, attributes: attributes.map((attribute) => attribute.name).sort() }];
  });
  const byName = (a: { readonly name: string }, b: { readonly name: string }): number => (a.name < b.name ? -1 : 1);
  const result: AdSchemaResult = {
    domain: directory.root.domain,
    host: directory.root.host,
    classes: classes.sort(byName),
    attributes: [...shown.values()].map(describe).sort(byName),
  };
  await output.result(result);
  return { complete: true };
}

/** The attributes of a class that some rule shows with it. */
function shownOf(type: ClassType, { shown }: SchemaGrant, classes: ClassTypes): string[] {
  const names = [...attributesOfClass(classes, type.name)];
  const rules = shown.filter((rule) => rule.classes === "*" || hasName(rule.classes, type.name));
  return names.filter((name) => rules.some(({ attributes }) => attributes === "*" || hasName(attributes, name)));
}

function describe(attribute: AttributeType): SchemaAttribute {
  const { name, oid, syntax, isSingle, isConstructed } = attribute;
  return { name, oid, syntax, several: !isSingle, column: kindOf(attribute), constructed: isConstructed };
}

function kindOf(attribute: AttributeType): SchemaAttribute["column"] {
  const { type } = columnOf(attribute);
  const item = type.kind === "list" ? type.of : type;
  switch (item.kind) {
    case "int":
      return item.bits === 32 ? "int32" : "int64";
    case "fixedBinary":
      return "uuid";
    case "bool":
    case "binary":
    case "timestamp":
      return item.kind;
    default:
      return "utf8";
  }
}
