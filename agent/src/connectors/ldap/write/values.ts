/** What is written, held against the directory's schema first: not every directory does that itself. */
import { parseDn } from "@sallyport/shared/directory/distinguished-name.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { DirectoryGrant } from "../../directory-grant.ts";
import { type AttributeType, type AttributeTypes, readAttributeTypes } from "../attribute-types.ts";
import type { Directory } from "../root-dse.ts";
import { generalizedTime } from "../time.ts";

export type WriteGrant = Extract<DirectoryGrant, { kind: "directoryWrite" }>;

/** By lower-case name as the request gives it. @throws SallyportError `request.invalid`, `policy.denied` */
export async function writableTypes(
  directory: Directory,
  names: readonly string[],
  { attributes, denied, neverWritten }: WriteGrant,
): Promise<AttributeTypes> {
  const types = await readAttributeTypes(directory, [...names, ...attributes, ...denied]);
  const oidsOf = (each: readonly string[]): Set<string> =>
    new Set(each.map((name) => types.get(name.toLowerCase())?.oid ?? name));
  const [allowed, hidden] = [oidsOf(attributes), new Set([...oidsOf(denied), ...neverWritten])];
  for (const name of names) {
    const type = types.get(name.toLowerCase());
    if (type === undefined || type.isConstructed) {
      throw new SallyportError("request.invalid", `The directory's schema has no ${name} to write.`, {
        attribute: name,
      });
    }
    if (hidden.has(type.oid) || !allowed.has(type.oid)) {
      throw new SallyportError("policy.denied", `The policy does not let ${name} be written.`, { attribute: name });
    }
  }
  return types;
}

const FORMS: Readonly<Record<string, (value: string) => boolean>> = {
  "2.5.5.1": (value) => parseDn(value) !== undefined,
  "2.5.5.8": (value) => value === "TRUE" || value === "FALSE",
  "2.5.5.9": (value) => /^-?[0-9]{1,10}$/.test(value) && Number(value) === (Number(value) | 0),
  "2.5.5.10": (value) => /^[A-Za-z0-9_-]*$/.test(value),
  "2.5.5.11": (value) => generalizedTime(value) !== undefined,
  "2.5.5.16": (value) => /^-?[0-9]{1,19}$/.test(value) && BigInt.asIntN(64, BigInt(value)) === BigInt(value),
};

/** As bytes: octets come in base64url, as rows show them; all else is text. @throws SallyportError `request.invalid` */
export function bytesOf({ name, syntax, isSingle }: AttributeType, values: readonly string[]): Buffer[] {
  const fits = FORMS[syntax] ?? (() => true);
  if ((isSingle && values.length > 1) || !values.every((value) => value !== "" && fits(value))) {
    throw new SallyportError("request.invalid", `A value is none for ${name}.`, { attribute: name });
  }
  return values.map((value) => Buffer.from(value, syntax === "2.5.5.10" ? "base64url" : "utf8"));
}

/** Whether both hold the same values, in whatever order. */
export const sameValues = (a: readonly Buffer[], b: readonly Buffer[]): boolean =>
  a.length === b.length && a.every((value) => b.some((other) => other.equals(value)));

/** Of `userAccountControl` the two bits that may be written; the others stay as they are. */
export const withSwitches = (before: number, asked: number): number => (before & ~0x202) | (asked & 0x202);
