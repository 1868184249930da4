/**
 * What no rule of an owner can allow in a directory: it hands over the domain. By the OIDs of the schema, because an
 * attribute may be named by its OID, and a schema may have another name for it [MS-ADA1, MS-ADA2, MS-ADA3, MS-ADTS 3.1.1.4.4].
 */

type Attributes = Readonly<Record<string, string>>;

/** Secrets, and what says who may do what to an object. */
const SECRETS: Attributes = {
  unicodePwd: "1.2.840.113556.1.4.90",
  dBCSPwd: "1.2.840.113556.1.4.55",
  ntPwdHistory: "1.2.840.113556.1.4.94",
  lmPwdHistory: "1.2.840.113556.1.4.160",
  supplementalCredentials: "1.2.840.113556.1.4.125",
  "ms-Mcs-AdmPwd": "1.2.840.113556.1.8000.2554.50051.45980.28112.18903.35903.6685103.1224907.2.1",
  "msDS-ManagedPassword": "1.2.840.113556.1.4.2196",
  "msFVE-RecoveryPassword": "1.2.840.113556.1.4.1964",
  "msFVE-RecoveryGuid": "1.2.840.113556.1.4.1965",
  "msFVE-VolumeGuid": "1.2.840.113556.1.4.1998",
  "msFVE-KeyPackage": "1.2.840.113556.1.4.1999",
  trustAuthIncoming: "1.2.840.113556.1.4.129",
  trustAuthOutgoing: "1.2.840.113556.1.4.135",
  initialAuthIncoming: "1.2.840.113556.1.4.539",
  initialAuthOutgoing: "1.2.840.113556.1.4.540",
  currentValue: "1.2.840.113556.1.4.27",
  priorValue: "1.2.840.113556.1.4.100",
  userPassword: "2.5.4.35",
  unixUserPassword: "1.2.840.113556.1.4.1910",
  "msDS-ExecuteScriptPassword": "1.2.840.113556.1.4.1783",
  msPKIDPAPIMasterKeys: "1.2.840.113556.1.4.1893",
  msPKIAccountCredentials: "1.2.840.113556.1.4.1894",
  "msPKI-CredentialRoamingTokens": "1.2.840.113556.1.4.2050",
  "msKds-RootKeyData": "1.2.840.113556.1.4.2175",
  pekList: "1.2.840.113556.1.4.865",
  nTSecurityDescriptor: "1.2.840.113556.1.2.281",
};
/** Families of the same, by the beginning of their names; LAPS has an arc of its own. */
const SECRET_FAMILIES = ["mslaps-", "msfve-", "trustauth"];
const SECRET_ARCS = ["1.2.840.113556.1.6.44."];

/** Whoever writes these becomes somebody else, or makes others run something. */
const POWERS: Attributes = {
  sIDHistory: "1.2.840.113556.1.4.609",
  "msDS-KeyCredentialLink": "1.2.840.113556.1.4.2328",
  altSecurityIdentities: "1.2.840.113556.1.4.867",
  "msDS-AllowedToDelegateTo": "1.2.840.113556.1.4.1787",
  "msDS-AllowedToActOnBehalfOfOtherIdentity": "1.2.840.113556.1.4.2182",
  servicePrincipalName: "1.2.840.113556.1.4.771",
  primaryGroupID: "1.2.840.113556.1.4.98",
  gPLink: "1.2.840.113556.1.4.891",
  scriptPath: "1.2.840.113556.1.4.62",
  adminCount: "1.2.840.113556.1.4.150",
  "msDS-GroupMSAMembership": "1.2.840.113556.1.4.2200",
  gPCFileSysPath: "1.2.840.113556.1.4.894",
  userParameters: "1.2.840.113556.1.4.138",
  msTSInitialProgram: "1.2.840.113556.1.4.1990",
  defaultSecurityDescriptor: "1.2.840.113556.1.4.224",
  // A computer's names for its services follow it; a computer that joins sets its own.
  dNSHostName: "1.2.840.113556.1.4.619",
  "ms-DS-MachineAccountQuota": "1.2.840.113556.1.4.1411",
  // What a certificate of a template is good for, and whose name it may have.
  "msPKI-Certificate-Name-Flag": "1.2.840.113556.1.4.1432",
  "msPKI-Enrollment-Flag": "1.2.840.113556.1.4.1430",
  "msPKI-RA-Signature": "1.2.840.113556.1.4.1429",
  "msPKI-Certificate-Application-Policy": "1.2.840.113556.1.4.1674",
  pKIExtendedKeyUsage: "1.2.840.113556.1.4.1333",
  certificateTemplates: "1.2.840.113556.1.4.823",
  dSHeuristics: "1.2.840.113556.1.2.212",
};
/** The later ones: a delegated service account of Windows Server 2025 takes over the account that it names. */
const POWER_FAMILIES = [
  "mspki-",
  "msds-allowedto",
  "msds-managedaccountpreceded",
  "msds-delegatedmsa",
  "msds-superseded",
];

/** What has a word of its own, and is not written by another: a class, members. */
const BY_OTHER_WORDS: Attributes = {
  objectClass: "2.5.4.0",
  member: "2.5.4.31",
};

/** One name for several attributes: a filter on it looks at what the owner did not list. */
const AMBIGUOUS_NAMES: Attributes = { aNR: "1.2.840.113556.1.4.1208" };

const ACCOUNT_CONTROL = { name: "userAccountControl", oid: "1.2.840.113556.1.4.8" } as const;
/** Disabled (0x2) and an ordinary account (0x200): all of `userAccountControl` that may be written. */
const CONTROL_BITS = 0x202;

const isOneOf = (attributes: Attributes, families: readonly string[], arcs: readonly string[]) => {
  const known = new Set(Object.entries(attributes).flatMap(([name, oid]) => [name.toLowerCase(), oid]));
  return (attribute: string): boolean => {
    const name = attribute.toLowerCase();
    return (
      known.has(name) || families.some((each) => name.startsWith(each)) || arcs.some((arc) => name.startsWith(arc))
    );
  };
};

export const isNeverRead: (attribute: string) => boolean = isOneOf(SECRETS, SECRET_FAMILIES, SECRET_ARCS);
const isPower = isOneOf(POWERS, POWER_FAMILIES, []);
const hasOtherWord = isOneOf(BY_OTHER_WORDS, [], []);
const isAmbiguous = isOneOf(AMBIGUOUS_NAMES, [], []);

export const isNeverFilteredBy = (attribute: string): boolean => isNeverRead(attribute) || isAmbiguous(attribute);
export const isNeverWritten = (attribute: string): boolean =>
  isNeverRead(attribute) || isPower(attribute) || hasOtherWord(attribute);

export const isAccountControl = (attribute: string): boolean =>
  attribute.toLowerCase() === ACCOUNT_CONTROL.name.toLowerCase() || attribute === ACCOUNT_CONTROL.oid;

/** Whether this is a value of `userAccountControl` that sets nothing but the two bits. */
export const isAccountSwitch = (value: string): boolean =>
  /^[0-9]{1,9}$/.test(value) && (Number(value) & ~CONTROL_BITS) === 0;

/** For a connector, which compares them with the OIDs of the directory's own schema. */
export const NEVER_READ_OIDS: readonly string[] = Object.values(SECRETS);
export const NEVER_READ_ARCS: readonly string[] = SECRET_ARCS;
export const NEVER_WRITTEN_OIDS: readonly string[] = [SECRETS, POWERS, BY_OTHER_WORDS].flatMap((each) =>
  Object.values(each),
);
