/** A small directory on the emulator: people of a company in units and groups, and what an owner's policy says of them. */
import { type Account, type Ldap, startLdap } from "../emulators/ldap/start.ts";

export const DOMAIN = "DC=corp,DC=example";
export const STAFF = `OU=Staff,${DOMAIN}`;
export const DIRECTORY_CONNECTION = "corp";
const READER = "svc-sync@corp.example";
const PASSWORD = "Read-only-2026";

export interface SampleDirectory {
  readonly ldap: Ldap;
  /** What a person stores as the connection's credential. */
  readonly credential: { readonly user: string; readonly password: string; readonly signIn: "simple" };
  /** The policy's entry, two spaces in. */
  readonly entry: string;
  /** A person leaves: the account is deleted. */
  leave(index: number): void;
  close(): Promise<void>;
}

const UNITS = ["Sales", "Finance", "Development", "Support"] as const;
const GIVEN = ["Kari", "Ola", "Åse", "Nils", "Zoë", "Jürgen", "Mária", "Søren", "Łukasz", "Elif"] as const;
const FAMILY = ["Nordmann", "Hansen", "Ødegård", "O'Brien", "de la Cruz", "Müller", "Kovács"] as const;

const nameOf = (index: number): string => `user${String(index).padStart(4, "0")}`;
const unitOf = (index: number): string => UNITS[index % UNITS.length]!;
export const personDn = (index: number): string => `CN=${nameOf(index)},OU=${unitOf(index)},${STAFF}`;

/** @param people how many, each in a unit and in one group */
export async function startDirectory(
  tls: { readonly key: string; readonly cert: string },
  caFile: string,
  people: number,
): Promise<SampleDirectory> {
  const account: Account = {
    ...{ dn: `CN=svc-sync,${STAFF}`, principal: READER, name: "CORP\\svc-sync", password: PASSWORD },
  };
  const ldap = await startLdap({ domain: DOMAIN, tls, accounts: [account] });
  const { store } = ldap;
  store.add(STAFF, "organizationalUnit");
  for (const unit of UNITS) store.add(`OU=${unit},${STAFF}`, "organizationalUnit");
  store.add(account.dn, "user", { sAMAccountName: "svc-sync" });
  for (let index = 0; index < people; index += 1) {
    const given = GIVEN[index % GIVEN.length]!;
    const family = FAMILY[index % FAMILY.length]!;
    const name = nameOf(index);
    store.add(personDn(index), "user", {
      ...{ sAMAccountName: name, givenName: given, sn: family, displayName: `${given} ${family}` },
      ...{
        department: unitOf(index),
        mail: `${name}@corp.example`,
        userAccountControl: index % 50 === 0 ? "514" : "512",
      },
      proxyAddresses: [`SMTP:${name}@corp.example`, `smtp:${given.toLowerCase()}.${index}@corp.example`],
      ...(index === 0 ? {} : { manager: personDn(index - 1) }),
    });
  }
  for (const unit of UNITS) {
    const member = Array.from({ length: people }, (_, index) => index).filter((index) => unitOf(index) === unit);
    store.add(`CN=All ${unit},OU=${unit},${STAFF}`, "group", {
      groupType: "-2147483646",
      member: member.map(personDn),
    });
  }
  return {
    ldap,
    credential: { user: READER, password: PASSWORD, signIn: "simple" },
    entry: `  ${DIRECTORY_CONNECTION}:
    kind: activeDirectory
    address: localhost:${ldap.ldapsPort}
    tls: { mode: required, ca: ${JSON.stringify(caFile)} }
    logins: [${READER}]
    rules:
      - id: staff
        allow: [search, changes, schema]
        bases: ["${STAFF}"]
        classes: [user, group]
        attributes: [objectGUID, objectSid, sAMAccountName, displayName, department, mail, manager, member, proxyAddresses, userAccountControl, whenCreated, whenChanged]
`,
    leave: (index) => store.remove(personDn(index)),
    close: () => ldap.close(),
  };
}
