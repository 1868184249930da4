/** A small part of Active Directory's schema [MS-ADA1 to 3, MS-ADSC]: enough for users, groups and units. */

export interface AttributeType {
  readonly name: string;
  readonly oid: string;
  /** `attributeSyntax` and `oMSyntax` [MS-ADTS 3.1.1.2.2.2]. */
  readonly syntax: string;
  readonly om: number;
  readonly single: boolean;
  /** Made when it is asked for, and only then. */
  readonly constructed?: true;
}

const SYNTAX = {
  dn: ["2.5.5.1", 127],
  oid: ["2.5.5.2", 6],
  ia5: ["2.5.5.5", 22],
  bool: ["2.5.5.8", 1],
  int: ["2.5.5.9", 2],
  octets: ["2.5.5.10", 4],
  time: ["2.5.5.11", 24],
  text: ["2.5.5.12", 64],
  descriptor: ["2.5.5.15", 66],
  large: ["2.5.5.16", 65],
  sid: ["2.5.5.17", 4],
} as const;

type Row = readonly [name: string, oid: string, syntax: keyof typeof SYNTAX, many?: "many" | "constructed"];

const MS = "1.2.840.113556.1";
const ROWS: readonly Row[] = [
  ["objectClass", "2.5.4.0", "oid", "many"],
  ["cn", "2.5.4.3", "text"],
  ["sn", "2.5.4.4", "text"],
  ["ou", "2.5.4.11", "text", "many"],
  ["dc", "0.9.2342.19200300.100.1.25", "text"],
  ["name", `${MS}.4.1`, "text"],
  ["distinguishedName", "2.5.4.49", "dn"],
  ["givenName", "2.5.4.42", "text"],
  ["displayName", `${MS}.2.13`, "text"],
  ["description", "2.5.4.13", "text", "many"],
  ["department", `${MS}.2.141`, "text"],
  ["mail", "0.9.2342.19200300.100.1.3", "text"],
  ["proxyAddresses", `${MS}.2.210`, "text", "many"],
  ["otherTelephone", `${MS}.2.18`, "text", "many"],
  ["employeeNumber", `${MS}.2.610`, "text"],
  ["sAMAccountName", `${MS}.4.221`, "text"],
  ["userPrincipalName", `${MS}.4.656`, "text"],
  ["manager", "0.9.2342.19200300.100.1.10", "dn"],
  ["directReports", `${MS}.2.436`, "dn", "many"],
  ["member", "2.5.4.31", "dn", "many"],
  ["memberOf", `${MS}.2.102`, "dn", "many"],
  ["objectGUID", `${MS}.4.2`, "octets"],
  ["objectSid", `${MS}.4.146`, "sid"],
  ["thumbnailPhoto", `${MS}.2.35`, "octets"],
  ["userCertificate", "2.5.4.36", "octets", "many"],
  ["unicodePwd", `${MS}.4.90`, "octets"],
  ["nTSecurityDescriptor", `${MS}.2.281`, "descriptor"],
  ["ms-Mcs-AdmPwd", `${MS}.8000.2554.50051.45980.28112.18903.35903.6685103.1224907.2.1`, "text"],
  ["userAccountControl", `${MS}.4.8`, "int"],
  ["groupType", `${MS}.4.750`, "int"],
  ["adminCount", `${MS}.4.150`, "int"],
  ["msDS-SupportedEncryptionTypes", `${MS}.4.1963`, "int"],
  ["isDeleted", `${MS}.2.48`, "bool"],
  ["showInAdvancedViewOnly", `${MS}.2.169`, "bool"],
  ["lastKnownParent", `${MS}.4.781`, "dn"],
  ["whenCreated", `${MS}.2.2`, "time"],
  ["whenChanged", `${MS}.2.3`, "time"],
  ["uSNCreated", `${MS}.2.19`, "large"],
  ["uSNChanged", `${MS}.2.120`, "large"],
  ["pwdLastSet", `${MS}.4.96`, "large"],
  ["accountExpires", `${MS}.4.159`, "large"],
  ["lastLogonTimestamp", `${MS}.4.1696`, "large"],
  ["maxPwdAge", `${MS}.4.74`, "large"],
  ["tokenGroups", `${MS}.4.1301`, "sid", "constructed"],
  ["parentGUID", `${MS}.4.1224`, "octets", "constructed"],
  ["allowedAttributesEffective", `${MS}.4.914`, "oid", "constructed"],
  ["allowedChildClassesEffective", `${MS}.4.912`, "oid", "constructed"],
];

export const ATTRIBUTE_TYPES: readonly AttributeType[] = ROWS.map(([name, oid, syntax, many]) => {
  const [id, om] = SYNTAX[syntax];
  const type = { name, oid, syntax: id, om, single: many === undefined };
  return many === "constructed" ? { ...type, single: false, constructed: true as const } : type;
});

export interface ClassType {
  readonly name: string;
  readonly oid: string;
  readonly parent: string;
  /** 1 structural, 2 abstract, 3 auxiliary. */
  readonly category: 1 | 2 | 3;
  readonly auxiliary: readonly string[];
  readonly must: readonly string[];
  readonly may: readonly string[];
}

const OF_TOP = [
  ...[
    "cn",
    "name",
    "distinguishedName",
    "description",
    "displayName",
    "objectGUID",
    "isDeleted",
    "lastKnownParent",
    "memberOf",
  ],
  ...["whenCreated", "whenChanged", "uSNCreated", "uSNChanged", "nTSecurityDescriptor", "adminCount", "parentGUID"],
  ...["showInAdvancedViewOnly", "proxyAddresses", "directReports"],
  ...["allowedAttributesEffective", "allowedChildClassesEffective"],
];
const PRINCIPAL = ["sAMAccountName", "objectSid", "tokenGroups"];

export const CLASS_TYPES: readonly ClassType[] = [
  { name: "top", oid: "2.5.6.0", parent: "top", category: 2, auxiliary: [], must: ["objectClass"], may: OF_TOP },
  { name: "securityPrincipal", oid: `${MS}.5.6`, parent: "top", category: 3, auxiliary: [], must: [], may: PRINCIPAL },
  {
    ...{ name: "mailRecipient", oid: `${MS}.3.46`, parent: "top", category: 3, auxiliary: [], must: [] },
    may: ["mail", "thumbnailPhoto", "userCertificate"],
  },
  {
    ...{ name: "person", oid: "2.5.6.6", parent: "top", category: 1, auxiliary: [], must: ["cn"] },
    may: ["sn"],
  },
  {
    ...{ name: "organizationalPerson", oid: "2.5.6.7", parent: "person", category: 1, auxiliary: [], must: [] },
    may: ["givenName", "department", "manager", "mail", "otherTelephone", "employeeNumber", "thumbnailPhoto"],
  },
  {
    ...{ name: "user", oid: `${MS}.5.9`, parent: "organizationalPerson", category: 1, must: [] },
    auxiliary: ["securityPrincipal", "mailRecipient"],
    may: [
      ...[
        "userPrincipalName",
        "userAccountControl",
        "pwdLastSet",
        "accountExpires",
        "lastLogonTimestamp",
        "unicodePwd",
      ],
      "msDS-SupportedEncryptionTypes",
    ],
  },
  {
    ...{ name: "computer", oid: `${MS}.3.30`, parent: "user", category: 1, auxiliary: [], must: [] },
    may: ["ms-Mcs-AdmPwd"],
  },
  {
    ...{ name: "group", oid: `${MS}.5.8`, parent: "top", category: 1, must: ["groupType"] },
    ...{ auxiliary: ["securityPrincipal", "mailRecipient"], may: ["member"] },
  },
  {
    ...{ name: "organizationalUnit", oid: "2.5.6.5", parent: "top", category: 1, auxiliary: [], must: ["ou"] },
    may: [],
  },
  {
    ...{ name: "domainDNS", oid: `${MS}.5.67`, parent: "top", category: 1, auxiliary: [], must: ["dc"] },
    may: ["objectSid", "maxPwdAge"],
  },
  { name: "container", oid: `${MS}.3.23`, parent: "top", category: 1, auxiliary: [], must: ["cn"], may: [] },
];

const TYPE_BY_NAME = new Map(
  ATTRIBUTE_TYPES.flatMap((type) => [type.name.toLowerCase(), type.oid].map((key) => [key, type] as const)),
);

export const typeOf = (nameOrOid: string): AttributeType | undefined => TYPE_BY_NAME.get(nameOrOid.toLowerCase());

/** A class and those it is made of, from `top` down: what `objectClass` of an object holds. */
export function classChain(name: string): string[] {
  const type = CLASS_TYPES.find((one) => one.name.toLowerCase() === name.toLowerCase());
  if (type === undefined) throw new RangeError(`no class ${name}`);
  return type.parent === type.name ? [type.name] : [...classChain(type.parent), type.name];
}

/** Names of the attributes that a class adds by itself, and by what it is joined with. */
export function attributesOf(name: string): string[] {
  const type = CLASS_TYPES.find((one) => one.name.toLowerCase() === name.toLowerCase());
  return type === undefined ? [] : [...type.must, ...type.may, ...type.auxiliary.flatMap(attributesOf)];
}
