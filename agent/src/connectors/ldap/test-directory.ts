/** A domain on the LDAP emulator for this folder's tests, and targets that lead to it. */
import type { TestContext } from "node:test";
import { type Account, type Ldap, type LdapOptions, startLdap } from "../../../../test/emulators/ldap/start.ts";
import { type Authority, makeAuthority } from "../../../../test/emulators/tls/certificates.ts";
import type { DirectoryTarget } from "./target.ts";

export const DOMAIN = "DC=corp,DC=example";
export const STAFF = `OU=Staff,${DOMAIN}`;
export const PASSWORD = "Correct-horse-7";

export interface TestDirectory {
  readonly ldap: Ldap;
  readonly authority: Authority;
  readonly account: Account;
  /** By LDAPS, as the one account, simply; with what is to be different. */
  target(
    different?: Partial<DirectoryTarget> & { readonly user?: string; readonly password?: string },
  ): DirectoryTarget;
}

/** With an empty `OU=Staff`; ended with the test. */
export async function startDirectory(context: TestContext, options: Partial<LdapOptions> = {}): Promise<TestDirectory> {
  const authority = await makeAuthority();
  const tls = await authority.issue({ names: ["localhost"], addresses: ["127.0.0.1"] });
  const account: Account = {
    dn: `CN=svc-sync,${STAFF}`,
    ...{ principal: "svc-sync@corp.example", name: "CORP\\svc-sync", password: PASSWORD },
  };
  const ldap = await startLdap({ domain: DOMAIN, tls, accounts: [account], ...options });
  context.after(() => ldap.close());
  ldap.store.add(STAFF, "organizationalUnit");
  ldap.store.add(account.dn, "user", { sAMAccountName: "svc-sync" });
  return {
    ...{ ldap, authority, account },
    target({ user = account.principal, password = PASSWORD, ...different } = {}) {
      return {
        ...{
          connection: "corp",
          host: "localhost",
          port: ldap.ldapsPort,
          requestId: "rq_1",
          refuseOverPrivileged: false,
        },
        tls: { mode: "required", caPem: authority.caPem },
        credential: { user, password, signIn: "simple" },
        ...different,
      };
    },
  };
}
