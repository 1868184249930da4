/** Who is in the directory of the suite, as LDIF for `ldbadd`: the same at each run. */
import { DC } from "./controller.ts";

export const STAFF: string = `OU=Staff,${DC}`;
export const GROUPS: string = `OU=Groups,${DC}`;
export const SPECIAL: string = `OU=Special,${DC}`;

export const USERS = 5_000;
export const GROUP_COUNT = 200;
/** More than a ranged answer of Windows holds (1,500), and everybody. */
export const LARGE_GROUPS: Readonly<Record<string, number>> = { "group-000": 1_800, "group-001": 5_000 };

export const PASSWORD = "Fjord-2026-Blåbær";
/** Signs in and reads; has no right but those of everybody. */
export const READER = { account: "svc-sync", user: "svc-sync@corp.example", password: PASSWORD } as const;

/** The value of the first part of a name, before it is escaped: whatever a directory may be asked to carry. */
export const SPECIAL_NAMES: readonly string[] = [
  "Nordmann, Kari",
  "A + B",
  'The "quoted" one',
  " leading space",
  "trailing space ",
  "#number sign first",
  "backslash at the end\\",
  "back\\slash within",
  "less < more >",
  "semi;colon",
  "equals=sign",
  "Blåbærsyltetøy Æ Ø Å",
  "山田太郎",
  "two\\, escaped",
  "(parentheses) * and asterisk",
];

export interface Account {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
}

/** Accounts that a sign-in is refused for, each for a reason of its own. */
export const REFUSED: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  disabled: { userAccountControl: "514" },
  expired: { accountExpires: "116444736010000000" },
  mustchange: { pwdLastSet: "0" },
};

export const userName = (index: number): string => `user${String(index).padStart(4, "0")}`;
const groupName = (index: number): string => `group-${String(index).padStart(3, "0")}`;
export const userDn = (index: number): string => `CN=${userName(index)},${STAFF}`;
export const groupDn = (index: number): string => `CN=${groupName(index)},${GROUPS}`;

/** [RFC 4514, 2.4] */
export const escapeValue = (value: string): string =>
  value
    .replaceAll(/[\\"+,;<>=]/g, (letter) => `\\${letter}`)
    .replace(/^[ #]/, (letter) => `\\${letter}`)
    .replace(/ $/, "\\ ");

/** The first of them have a password; without one a key server says another thing than that it is wrong. */
const WITH_PASSWORD = 30;

/** Units, then people, then groups with their members. */
export function peopleLdif(): string {
  const units = [STAFF, GROUPS, SPECIAL].map((dn) => record(dn, { objectClass: "organizationalUnit" }));
  const users = Array.from({ length: USERS }, (_, index) =>
    record(userDn(index), {
      ...{ objectClass: "user", sAMAccountName: userName(index), displayName: `Ola Nordmann ${index}` },
      ...{ mail: `${userName(index)}@corp.example`, department: `Avdeling ${index % 40}`, userAccountControl: "512" },
      ...{ userPrincipalName: `${userName(index)}@corp.example`, description: `Æøå ${index}` },
      ...(index < WITH_PASSWORD ? { unicodePwd: quoted(PASSWORD) } : {}),
      ...(index % 100 === 0 ? { thumbnailPhoto: Buffer.alloc(2_000, index % 251) } : {}),
    }),
  );
  const special = SPECIAL_NAMES.map((name, index) =>
    record(`CN=${escapeValue(name)},${SPECIAL}`, { objectClass: "user", sAMAccountName: `special${index}` }),
  );
  const logins = [READER.account, ...Object.keys(REFUSED)].map((name) =>
    record(`CN=${name},CN=Users,${DC}`, {
      ...{ objectClass: "user", sAMAccountName: name, userPrincipalName: `${name}@corp.example` },
      ...{ userAccountControl: "512", unicodePwd: quoted(PASSWORD), ...REFUSED[name] },
    }),
  );
  return [...units, ...users, ...special, ...logins, ...groups()].join("\n");
}

function groups(): string[] {
  return Array.from({ length: GROUP_COUNT }, (_, index) => {
    const size = LARGE_GROUPS[groupName(index)] ?? 20;
    const members = Array.from({ length: size }, (_, nth) => userDn((index * 25 + nth) % USERS));
    // A chain of nested groups, beside the large ones.
    const nested = index > 2 ? [groupDn(index - 1)] : [];
    const own = { objectClass: "group", sAMAccountName: groupName(index) };
    return record(groupDn(index), own, [...members, ...nested]);
  });
}

const quoted = (password: string): Buffer => Buffer.from(`"${password}"`, "utf16le");

/** In base64 throughout, so that no value needs a thought. */
function record(
  dn: string,
  attributes: Readonly<Record<string, string | Buffer>>,
  members: readonly string[] = [],
): string {
  const lines = Object.entries(attributes).map(([name, value]) => line(name, value));
  return [line("dn", dn), ...lines, ...members.map((member) => line("member", member)), ""].join("\n");
}

const line = (name: string, value: string | Buffer): string => `${name}:: ${Buffer.from(value).toString("base64")}`;
