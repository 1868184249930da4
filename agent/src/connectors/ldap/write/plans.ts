/** What has to be sent for a change: nothing where it is so already. */
import { firstText, parentText, parseDn } from "@sallyport/shared/directory/distinguished-name.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { AdWrite } from "@sallyport/shared/schema/directory-operations.ts";
import { AddRequest, Attribute, Change, DeleteRequest, ModifyDNRequest, ModifyRequest } from "ldapts";
import { isWithin } from "../../../place.ts";
import { type AttributeType, textsOf } from "../attribute-types.ts";
import type { Request } from "../connection.ts";
import { heldAt } from "../denials.ts";
import type { Entry } from "../message.ts";
import { findOne } from "../query.ts";
import type { Directory } from "../root-dse.ts";
import type { Needs } from "./rights.ts";
import { bytesOf, sameValues, type WriteGrant, withSwitches, writableTypes } from "./values.ts";

export interface Planned {
  /** In this order; none where there is nothing to do. */
  readonly requests: readonly Request[];
  readonly guid: string | undefined;
  /** What a dry run asks about. */
  readonly needs: Needs;
}

type Action<Name extends AdWrite["action"]> = Extract<AdWrite, { action: Name }>;

const ACCOUNT_CONTROL_OID = "1.2.840.113556.1.4.8";
const NORMAL_ACCOUNT = 0x200;
const WORDS = { set: "replace", add: "add", remove: "delete" } as const;

const modify = (dn: string, changes: Change[]): Request => new ModifyRequest({ messageId: 0, dn, changes });
const changeOf = (operation: "add" | "delete" | "replace", type: string, values: Buffer[]): Change =>
  new Change({ operation, modification: new Attribute({ type, values }) });

const held = (object: Entry, { name }: AttributeType): readonly Buffer[] =>
  object.attributes.find((one) => one.name.toLowerCase() === name.toLowerCase())?.values ?? [];

/** @throws SallyportError `request.invalid`, `policy.denied` */
export async function changing(
  directory: Directory,
  object: Entry,
  { changes }: Action<"modify">,
  grant: WriteGrant,
): Promise<Request[]> {
  const types = await writableTypes(
    directory,
    changes.map(({ attribute }) => attribute),
    grant,
  );
  const needed = changes.flatMap(({ attribute, do: how, values }) => {
    const type = types.get(attribute.toLowerCase())!;
    const before = held(object, type);
    const asked = valuesFor(type, before, values);
    const isThere = (value: Buffer): boolean => before.some((one) => one.equals(value));
    if (how === "set") return sameValues(before, asked) ? [] : [changeOf("replace", type.name, asked)];
    const left = asked.filter((value) => isThere(value) === (how === "remove"));
    return left.length === 0 ? [] : [changeOf(WORDS[how], type.name, left)];
  });
  return needed.length === 0 ? [] : [modify(object.dn, needed)];
}

function valuesFor(type: AttributeType, [before]: readonly Buffer[], values: readonly string[]): Buffer[] {
  const asked = bytesOf(type, values);
  if (type.oid !== ACCOUNT_CONTROL_OID || asked.length === 0) return asked;
  const now = Number(before?.toString("latin1") ?? NORMAL_ACCOUNT);
  return [Buffer.from(String(withSwitches(now, Number(asked[0]!.toString("latin1")))))];
}

/** Those who are to come and are not there, and those who are to go and are. @throws SallyportError */
export async function joining(
  { connection }: Directory,
  group: Entry,
  { add, remove }: Action<"members">,
  grant: WriteGrant,
): Promise<Request[]> {
  const own = new Set(textsOf(group, "member").map((value) => value.toLowerCase()));
  const named = async (dns: readonly string[]): Promise<string[]> => {
    const found: string[] = [];
    for (const base of dns) {
      const member = await findOne(connection, { base, scope: "base", attributes: ["objectClass"] });
      if (member === undefined || !grant.bases.some((each) => isWithin(member.dn, each))) {
        throw new SallyportError("policy.denied", "A member stands outside of what the rule lists.");
      }
      heldAt(grant, [member.dn]);
      found.push(member.dn);
    }
    return found;
  };
  const coming = (await named(add)).filter((dn) => !own.has(dn.toLowerCase()));
  const going = (await named(remove)).filter((dn) => own.has(dn.toLowerCase()));
  const values = (dns: readonly string[]): Buffer[] => dns.map((dn) => Buffer.from(dn));
  const changes = [
    ...(coming.length === 0 ? [] : [changeOf("add", "member", values(coming))]),
    ...(going.length === 0 ? [] : [changeOf("delete", "member", values(going))]),
  ];
  return changes.length === 0 ? [] : [modify(group.dn, changes)];
}

/** @param name the new first part; @param parent where it is to stand */
export function moving(object: Entry, name: string | undefined, parent: string | undefined): Request[] {
  const [first, above = ""] = [firstText(object.dn), parentText(object.dn)];
  const newRdn = name ?? first;
  const isSame = (a: string, b: string): boolean => JSON.stringify(parseDn(a)) === JSON.stringify(parseDn(b));
  if (isSame(newRdn, first) && (parent === undefined || isSame(parent, above))) return [];
  const move = { messageId: 0, dn: object.dn, newRdn, deleteOldRdn: true };
  return [new ModifyDNRequest(parent === undefined ? move : { ...move, newSuperior: parent })];
}

/** Not what is below it: the directory refuses that. */
export const deleting = ({ dn }: Entry): Request[] => [new DeleteRequest({ messageId: 0, dn })];

/** [MS-ADTS 3.1.1.3.1.5.1]: in quotes, UTF-16LE. */
const passwordBytes = (password: string): Buffer => Buffer.from(`"${password}"`, "utf16le");

/** Sets it, without the one before: the right "reset password" is needed. */
export const setting = ({ dn }: Entry, password: string): Request =>
  modify(dn, [changeOf("replace", "unicodePwd", [passwordBytes(password)])]);

/** With its password and its switches at once, so that no account stands open in between. @throws SallyportError */
export async function adding(
  directory: Directory,
  dn: string,
  { class: objectClass, attributes, password }: Action<"add">,
  grant: WriteGrant,
): Promise<Request> {
  const types = await writableTypes(directory, Object.keys(attributes), grant);
  const given = Object.entries(attributes).map(([name, values]) => {
    const type = types.get(name.toLowerCase())!;
    return new Attribute({ type: type.name, values: valuesFor(type, [], values) });
  });
  const own = [new Attribute({ type: "objectClass", values: [objectClass] })];
  if (password !== undefined) own.push(new Attribute({ type: "unicodePwd", values: [passwordBytes(password)] }));
  return new AddRequest({ messageId: 0, dn, attributes: [...own, ...given] });
}
