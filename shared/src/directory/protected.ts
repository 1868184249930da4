/** Who rules a domain: accounts and groups that no rule of an owner lets anybody write, or sign in as. */

const PROTECTED_RIDS = [500, 502, 512, 516, 518, 519, 520, 521, 525, 526, 527];
const PROTECTED_BUILTIN = [544, 548, 549, 550, 551, 552];

/**
 * Whether an object with this SID is never written, nor any member of it: the domain's administrators, its controllers and
 * operators, krbtgt and what protects them. Members, nested ones too, `adminCount=1` and domain controllers are the connector's to find.
 */
export function isProtectedSid(sid: string): boolean {
  const domain = /^S-1-5-21-[0-9]+-[0-9]+-[0-9]+-([0-9]+)$/.exec(sid)?.[1];
  if (domain !== undefined) return PROTECTED_RIDS.includes(Number(domain));
  const builtin = /^S-1-5-32-([0-9]+)$/.exec(sid)?.[1];
  return builtin !== undefined && PROTECTED_BUILTIN.includes(Number(builtin));
}
