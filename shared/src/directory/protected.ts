/** Who and what rules a domain: what no rule of an owner lets anybody write, nor sign in as [MS-ADTS 3.1.1.6.1, 6.1.1]. */

/** Those of [MS-ADTS 3.1.1.6.1.1], and who publishes certificates (517) or may read every password on a controller (498). */
const PROTECTED_RIDS = [498, 500, 502, 512, 516, 517, 518, 519, 520, 521, 525, 526, 527];
/** Also who may trust other forests (557), and who holds the machines that controllers run in (578). */
const PROTECTED_BUILTIN = [544, 548, 549, 550, 551, 552, 557, 578];

/**
 * Whether an object with this SID is never written, nor any member of it: the domain itself, its administrators, its controllers
 * and operators, krbtgt and what protects them. Members, nested ones too, `adminCount=1` and domain controllers are the connector's to find.
 */
export function isProtectedSid(sid: string): boolean {
  const domain = /^S-1-5-21-[0-9]+-[0-9]+-[0-9]+(?:-([0-9]+))?$/.exec(sid);
  if (domain !== null) return domain[1] === undefined || PROTECTED_RIDS.includes(Number(domain[1]));
  const builtin = /^S-1-5-32-([0-9]+)$/.exec(sid)?.[1];
  return builtin !== undefined && PROTECTED_BUILTIN.includes(Number(builtin));
}

/** Whoever writes one of these hands out certificates as anybody, trusts somebody, or sets what holds for the whole domain. */
const PROTECTED_CLASSES: Readonly<Record<string, string>> = {
  domainDNS: "1.2.840.113556.1.5.67",
  builtinDomain: "1.2.840.113556.1.5.4",
  trustedDomain: "1.2.840.113556.1.5.34",
  groupPolicyContainer: "1.2.840.113556.1.5.157",
  pKICertificateTemplate: "1.2.840.113556.1.5.177",
  pKIEnrollmentService: "1.2.840.113556.1.5.178",
  certificationAuthority: "2.5.6.16",
  nTDSService: "1.2.840.113556.1.5.72",
  attributeSchema: "1.2.840.113556.1.3.14",
  classSchema: "1.2.840.113556.1.3.13",
  dMD: "1.2.840.113556.1.3.9",
};
const CLASS_NAMES = new Set(Object.entries(PROTECTED_CLASSES).flatMap(([name, oid]) => [name.toLowerCase(), oid]));

/** Whether no object of this class is written, by its name or OID. */
export const isProtectedClass = (name: string): boolean => CLASS_NAMES.has(name.toLowerCase());
