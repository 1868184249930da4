/** Whether the login that came rules the domain: then a mistake in the owner's policy would be the last wall. */
import { isProtectedSid } from "@sallyport/shared/directory/protected.ts";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { descriptorFlagsControl } from "./controls.ts";
import { findOne } from "./query.ts";
import type { Directory } from "./root-dse.ts";
import { hasRight, readDacl } from "./security-descriptor.ts";
import { sidText } from "./sid.ts";

/** DS-Replication-Get-Changes-All: every password hash of the domain, "DCSync" [MS-ADTS 5.1.3.2.1]. */
const GET_CHANGES_ALL = "1131f6ad-9c07-11d1-f79f-00c04fc2dcd2";
const DACL = 4;
/** Protected Users rules nothing: its members may only do less. */
const PROTECTED_USERS = /-525$/;

/**
 * Asks the directory for the groups of this very session, nested ones too, and who may replicate the domain.
 * @throws SallyportError `connection.over_privileged`
 */
export async function refuseOverPrivileged({ connection, root }: Directory): Promise<void> {
  const self = await findOne(connection, { base: "", scope: "base", attributes: ["tokenGroups"] });
  const sids = new Set(valuesOf(self?.attributes, "tokenGroups").map((bytes) => sidText(bytes) ?? ""));
  const ruling = [...sids].find((sid) => isProtectedSid(sid) && !PROTECTED_USERS.test(sid));
  if (ruling !== undefined) {
    throw new SallyportError("connection.over_privileged", "The login is a member of a group that rules the domain.", {
      rid: ruling.slice(ruling.lastIndexOf("-") + 1),
    });
  }
  const controls = [descriptorFlagsControl(DACL)];
  const query = { base: root.domain, scope: "base", attributes: ["nTSecurityDescriptor"], controls } as const;
  const domain = await findOne(connection, query);
  // Who may not read it has no rights to speak of.
  const [descriptor] = valuesOf(domain?.attributes, "nTSecurityDescriptor");
  if (descriptor === undefined || !hasRight(readDacl(descriptor), GET_CHANGES_ALL, sids)) return;
  throw new SallyportError(
    "connection.over_privileged",
    "The login has the right DS-Replication-Get-Changes-All: it could read every password's hash.",
    { right: "DS-Replication-Get-Changes-All" },
  );
}

const valuesOf = (
  attributes: readonly { readonly name: string; readonly values: readonly Buffer[] }[] = [],
  wanted: string,
): readonly Buffer[] => attributes.find(({ name }) => name.toLowerCase() === wanted.toLowerCase())?.values ?? [];
