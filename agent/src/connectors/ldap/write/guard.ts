/**
 * Which objects are never written, whatever a rule says: those that rule the domain, their members, nested ones too, and its
 * controllers. Found by a walk of our own before anything is sent; what cannot be seen counts as one of them.
 */
import { isProtectedClass, isProtectedSid } from "@sallyport/shared/directory/protected.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { textsOf } from "../attribute-types.ts";
import type { Entry } from "../message.ts";
import { findOne } from "../query.ts";
import type { Directory } from "../root-dse.ts";
import { sidText } from "../sid.ts";

/** What `refuseProtected` looks at. */
export const GUARDED = [
  ...["objectClass", "objectSid", "sIDHistory", "adminCount", "userAccountControl", "primaryGroupID", "memberOf"],
] as const;

/** SERVER_TRUST_ACCOUNT, PARTIAL_SECRETS_ACCOUNT: a domain controller, also one that only reads [MS-ADTS 2.2.16]. */
const CONTROLLER = 0x2000 | 0x4000000;
const MOST_GROUPS = 2_000;
/** Domain Users, Guests, Computers: what everybody is in by their primary group, and what a login need not see. */
const EVERYBODYS = /-51[345]$/;

/** @param object with the attributes `GUARDED`. @throws SallyportError `policy.denied` */
export async function refuseProtected({ connection }: Directory, object: Entry): Promise<void> {
  if (rules(object)) throw refusal();
  // Membership by primary group stands nowhere else, and what that group is in counts as much as the others'.
  const primary = primaryOf(object);
  const own = primary === undefined ? undefined : await found(connection, `<SID=${primary}>`);
  if (primary !== undefined && own === undefined && !EVERYBODYS.test(primary)) throw refusal();
  if (own !== undefined && rules(own)) throw refusal();
  const seen = new Set<string>();
  const left = [...groupsOf(object), ...(own === undefined ? [] : groupsOf(own))];
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

const sidsOf = (object: Entry, wanted: "objectsid" | "sidhistory"): string[] =>
  (object.attributes.find(({ name }) => name.toLowerCase() === wanted)?.values ?? []).map(
    (bytes) => sidText(bytes) ?? "",
  );

/** The SID of an account's primary group, which is of its own domain. */
function primaryOf(object: Entry): string | undefined {
  const [sid = ""] = sidsOf(object, "objectsid");
  const [rid] = textsOf(object, "primaryGroupID");
  return rid === undefined || !/^[0-9]{1,10}$/.test(rid) ? undefined : sid.replace(/-[0-9]+$/, `-${rid}`);
}

function rules(object: Entry): boolean {
  const one = (name: string): string => textsOf(object, name)[0] ?? "";
  // A list of groups that goes on elsewhere was not looked through.
  const isCut = object.attributes.some(({ name }) => /^memberof;range=/i.test(name));
  return (
    isCut ||
    textsOf(object, "objectClass").some(isProtectedClass) ||
    // A SID of an earlier domain is in every token of its account.
    [...sidsOf(object, "objectsid"), ...sidsOf(object, "sidhistory"), primaryOf(object) ?? ""].some(isProtectedSid) ||
    !["", "0"].includes(one("adminCount")) ||
    (Number(one("userAccountControl")) & CONTROLLER) !== 0
  );
}

const refusal = (): SallyportError =>
  new SallyportError("policy.denied", "The object rules the domain, or is a member of what does: it is never written.");
