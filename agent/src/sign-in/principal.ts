/** Whom Kerberos signs in, by the forms of a login that a request may bring. */

export interface Principal {
  readonly name: string;
  /** Another's suffix may stand in it: only the domain's controller knows which account that is [RFC 6806, 5]. */
  readonly isEnterprise: boolean;
}

/** Undefined for a distinguished name, which is nobody to Kerberos. */
export function principalOf(login: string, realm: string): Principal | undefined {
  const account = /^[^\\@/=,]{1,256}\\([^\\@/]{1,256})$/.exec(login)?.[1];
  if (account !== undefined) return { name: `${escaped(account)}@${realm}`, isEnterprise: false };
  const parts = /^([^\\@/]{1,256})@([^\\@/]{1,256})$/.exec(login);
  return parts === null ? undefined : { name: `${parts[1]}@${parts[2]}@${realm}`, isEnterprise: true };
}

const escaped = (name: string): string => name.replaceAll(/[\\/@]/g, (letter) => `\\${letter}`);
