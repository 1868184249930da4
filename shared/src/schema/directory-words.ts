/** The small words of a directory, in operations and in the owner's policy: names of objects, attributes and classes. */
import { z } from "zod";
import { MAX_DN_CHARS, parseDn } from "../directory/distinguished-name.ts";

/** A distinguished name [RFC 4514], at least one part of it. */
export const distinguishedName = z
  .string()
  .max(MAX_DN_CHARS)
  .refine((text) => parseDn(text) !== undefined, "use a distinguished name, for example OU=Staff,DC=corp,DC=example");

/**
 * What nobody sees, and a directory looks past: such a name reads as another than it is. Save the two joiners between letters of
 * scripts that are written with them.
 */
const UNSEEN = /(?![\u200C\u200D])\p{Cf}|(?:^|[\p{ASCII}\p{Script=Latin}])[\u200C\u200D]/u;

/** The same in a request, from whoever it comes. */
export const requestedName = distinguishedName.refine(
  (text) => !(parseDn(text) ?? []).flat().some(({ value }) => UNSEEN.test(value)),
  "use a name without letters that nobody sees, such as soft hyphens",
);

/** The name of an attribute or class in the directory's schema, or its OID; without options such as `;range=0-99`. */
export const schemaName = z
  .string()
  .regex(
    /^(?:[A-Za-z][A-Za-z0-9-]{0,127}|[0-9]{1,10}(?:\.[0-9]{1,10}){1,30})$/,
    "use a name of the directory's schema",
  );

export const READ_VERBS = ["search", "changes", "schema"] as const;

/** What may be done to one object; none is implied by another. */
export const directoryAction = z.enum(["add", "modify", "members", "rename", "move", "delete", "setPassword"]);
