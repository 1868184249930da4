/** Operations on a directory. */
import { z } from "zod";
import { requestedName, schemaName } from "./directory-words.ts";
import { directoryFilter } from "./filter.ts";
import { position, watermark } from "./ids.ts";
import { plan } from "./plan.ts";

const attributes = z.union([z.literal("*"), z.array(schemaName).min(1).max(200)]);
const classes = z.array(schemaName).min(1).max(50);
/** Times counted in 100 ns leave as ISO text: the one way for those after 2262. */
const timestamps = z.literal("text").optional();

/** What a run adds to a request that reads, as in `operations.ts`. */
const resume = {
  from: watermark.optional(),
  plan: plan.optional(),
  to: watermark.optional(),
  position: position.optional(),
};

/** Objects of these classes at or below `base`. */
export const adSearch = z.strictObject({
  op: z.literal("ad.search"),
  base: requestedName,
  scope: z.enum(["base", "one", "subtree"]).default("subtree"),
  classes,
  /** `*`: every attribute that an object has, less those that are never read. */
  attributes,
  filter: directoryFilter.optional(),
  timestamps,
  ...resume,
});

/** How `ad.changes` finds what is new: by the directory's own record, or by one controller's update sequence numbers. */
export const directoryChangesBy = z.enum(["dirSync", "usn"]);

/** What changed among them, deletions included where the account may see them. */
export const adChanges = z.strictObject({
  op: z.literal("ad.changes"),
  base: requestedName,
  classes,
  attributes,
  by: directoryChangesBy.default("dirSync"),
  /** Names all that there is even where the login sees deletions: for objects that are moved to where it sees nothing. */
  reconcile: z.boolean().default(false),
  /** A run that would take away more ends with an error instead. */
  mostDeletes: z.int().min(0).max(1_000_000_000).default(500),
  timestamps,
  ...resume,
});

/** Classes and attributes, as far as the owner's policy shows them; of one class where it is named. */
export const adSchema = z.strictObject({ op: z.literal("ad.schema"), class: schemaName.optional() });

const values = z.array(z.string().max(32_768)).max(1000);
const changeOf = z.strictObject({ attribute: schemaName, do: z.enum(["set", "add", "remove"]), values });
/** RFC 4514's one part: `CN=Kari Nordmann`. */
const relativeName = requestedName.max(300);

const every = {
  op: z.literal("ad.write"),
  object: requestedName,
  /** The object's GUID: refused where another object has come to have this name. */
  guid: z.guid().optional(),
  class: schemaName,
  /** Tells what would be done, and does nothing. */
  dryRun: z.boolean().default(false),
};
const password = z.string().min(1).max(256);

/** One change of one object. */
export const adWrite = z.discriminatedUnion("action", [
  z.strictObject({
    ...every,
    action: z.literal("add"),
    attributes: z.record(schemaName, values.min(1)),
    /** Needs the word `setPassword` in the same rule. */
    password: password.optional(),
  }),
  z.strictObject({ ...every, action: z.literal("modify"), changes: z.array(changeOf).min(1).max(200) }),
  z
    .strictObject({
      ...every,
      action: z.literal("members"),
      add: z.array(requestedName).max(1000).default([]),
      remove: z.array(requestedName).max(1000).default([]),
    })
    .refine(({ add, remove }) => add.length + remove.length > 0, "name members to add or to remove"),
  z.strictObject({ ...every, action: z.literal("rename"), name: relativeName }),
  z.strictObject({ ...every, action: z.literal("move"), destination: requestedName }),
  z.strictObject({ ...every, action: z.literal("delete") }),
  z.strictObject({ ...every, action: z.literal("setPassword"), password }),
]);

export type AdSearch = z.infer<typeof adSearch>;
export type AdChanges = z.infer<typeof adChanges>;
export type AdSchema = z.infer<typeof adSchema>;
export type AdWrite = z.infer<typeof adWrite>;
export type DirectoryOperation = AdSearch | AdChanges | AdSchema | AdWrite;

export const isDirectoryOperation = (operation: { readonly op: string }): operation is DirectoryOperation =>
  operation.op.startsWith("ad.");
