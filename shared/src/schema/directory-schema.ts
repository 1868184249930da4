/** What `ad.schema` answers: the classes and attributes of a directory, as far as the owner's policy shows them. */
import { z } from "zod";

const name = z.string().min(1).max(256);

const directoryAttribute = z.strictObject({
  name,
  oid: name,
  /** `2.5.5.…` [MS-ADTS 3.1.1.2.2.2] */
  syntax: name,
  /** Several values: a list. */
  several: z.boolean(),
  /** The kind of column that it becomes, or its items. */
  column: z.enum(["bool", "int32", "int64", "utf8", "binary", "uuid", "timestamp"]),
  /** Made when it is asked for by name; `*` leaves it out. */
  constructed: z.boolean(),
});

const directoryClass = z.strictObject({
  name,
  oid: name,
  parent: name,
  kind: z.enum(["structural", "abstract", "auxiliary"]),
  /** Of those that are shown, what its objects may have. */
  attributes: z.array(name),
});

const adSchemaResult = z.strictObject({
  domain: z.string(),
  /** The controller that answered. */
  host: z.string(),
  classes: z.array(directoryClass),
  attributes: z.array(directoryAttribute),
});
export type AdSchemaResult = z.infer<typeof adSchemaResult>;
export type SchemaAttribute = z.infer<typeof directoryAttribute>;
