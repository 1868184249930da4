/**
 * Which objects are never written, whatever a rule says: those that rule the domain, their members, nested ones too, and its
 * controllers. Found by a walk of our own before anything is sent; what cannot be seen counts as one of them.
 */
import { isProtectedSid } from "@sallyport/shared/directory/protected.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { textsOf } from "../attribute-types.ts";
import type { Entry } from "../message.ts";
import { findOne } from "../query.ts";
import type { Directory } from "../root-dse.ts";
import { sidText } from "../sid.ts";

/** What `refuseProtected` looks at. */
export const GUARDED = ["objectSid", "adminCount", "userAccountControl", "primaryGroupID", "memberOf"] as const;

/** SERVER_TRUST_ACCOUNT, PARTIAL_SECRETS_ACCOUNT: a domain controller, also one that only reads [MS-ADTS 2.2.16]. */
const CONTROLLER = 0x2000 | 0x4000000;
const MOST_GROUPS = 2_000;

/** @param object with the attributes `GUARDED`. @throws SallyportError `policy.denied` */
export async function refuseProtected({ connection }: Directory, object: Entry): Promise<void> {
  if (rules(object)) throw refusal();
  const seen = new Set<string>();
  const left = groupsOf(object);
  for (let dn = left.shift(); dn !== undefined; dn = left.shift()) {
    if (seen.has(dn.toLowerCase())) continue;
    seen.add(dn.toLowerCase());
    if (seen.size > MOST_GROUPS) throw refusal();
    const group = await found(connection, dn);
    if (group === undefined || rules(group)) throw refusal();
    left.push(...groupsOf(group));
  }
}

async function found(connection: Directory["connection"], base: string): Promise<Entry | undefined> {
  try {
    return await findOne(connection, { base, scope: "base", attributes: GUARDED });
  } catch (error) {
    if (error instanceof SallyportError && error.code === "directory.not_found") return undefined;
    throw error;
  }
}

const groupsOf = (object: Entry): string[] => textsOf(object, "memberOf");

function rules(object: Entry): boolean {
  const one = (name: string): string => textsOf(object, name)[0] ?? "";
  const bytes = object.attributes.find(({ name }) => name.toLowerCase() === "objectsid")?.values[0];
  const sid = bytes === undefined ? "" : (sidText(bytes) ?? "");
  const domain = sid.slice(0, Math.max(0, sid.lastIndexOf("-")));
  // A list of groups that goes on elsewhere was not looked through.
  const isCut = object.attributes.some(({ name }) => /^memberof;range=/i.test(name));
  return (
    isCut ||
    isProtectedSid(sid) ||
    // Membership by primary group stands nowhere else.
    (one("primaryGroupID") !== "" && isProtectedSid(`${domain}-${one("primaryGroupID")}`)) ||
    !["", "0"].includes(one("adminCount")) ||
    (Number(one("userAccountControl")) & CONTROLLER) !== 0
  );
}

const refusal = (): SallyportError =>
  new SallyportError("policy.denied", "The object rules the domain, or is a member of what does: it is never written.");
