/** Requests to a directory, and what the policy beside this file says to each. */
import { no, type Row } from "./test-ask.ts";

const STAFF = "OU=Staff,DC=corp,DC=example";
const OPEN = "OU=Open,DC=corp,DC=example";
const KARI = `CN=Kari,${STAFF}`;

const search = (over: object = {}) => ({
  op: { op: "ad.search", base: STAFF, scope: "base", classes: ["user"], attributes: ["mail"], ...over },
});
const open = (over: object = {}) => search({ base: OPEN, classes: ["contact"], ...over });
const filter = (attribute: string, is = "equal") => ({ filter: { attribute, is, value: "x" } });
const write = (over: object) => ({ op: { op: "ad.write", object: KARI, class: "user", ...over } });
const modify = (attribute: string, values: readonly string[] = ["x"], how = "set", over: object = {}) =>
  write({ action: "modify", changes: [{ attribute, do: how, values }], ...over });
const members = (over: object) =>
  write({ object: "CN=Sales,OU=Groups,DC=corp,DC=example", class: "group", action: "members", ...over });
const NEW = "OU=New,OU=Staff,DC=corp,DC=example";
const LEAVERS = "OU=Leavers,DC=corp,DC=example";

export const DIRECTORY: readonly Row[] = [
  // The base itself and below, as names taken apart.
  ["allow staff", search()],
  ["allow staff", search({ base: `OU=Oslo,${STAFF}` })],
  ["allow staff", search({ base: "ou=staff, dc=CORP ,DC=example" })],
  ["allow staff", search({ base: "2.5.4.11=Staff,0.9.2342.19200300.100.1.25=corp,DC=example" })],
  ["allow staff", search({ base: "OU=St\\61ff,DC=corp,DC=example" })],
  ["allow staff", search({ base: `CN=a\\,b,${STAFF}` })],
  [no, search({ base: "DC=corp,DC=example" })],
  [no, search({ base: "OU=Staff,DC=corp,DC=example,DC=org" })],
  [no, search({ base: "OU=NotStaff,DC=corp,DC=example" })],
  [no, search({ base: "OU=x\\,OU=Staff,DC=corp,DC=example" })],
  [no, search({ base: "CN=Staff,DC=corp,DC=example" })],
  [no, search({ base: "OU=Stáff,DC=corp,DC=example" })],
  // Classes and attributes.
  ["allow staff", search({ classes: ["USER", "group"], attributes: ["MAIL", "department"] })],
  [no, search({ classes: ["computer"] })],
  [no, search({ classes: ["user", "computer"] })],
  [no, search({ attributes: ["mail", "homePhone"] })],
  [no, search({ attributes: "*" })],
  ["allow everything", open({ attributes: ["title"], classes: ["printQueue"] })],
  [no, { op: { op: "ad.changes", base: OPEN, classes: ["contact"], attributes: ["title"] } }],
  ["allow staff", { op: { op: "ad.changes", base: `OU=Oslo,${STAFF}`, classes: ["user"], attributes: ["mail"] } }],
  ["allow staff", { op: { op: "ad.schema" } }],
  ["allow staff", { op: { op: "ad.schema", class: "group" } }],
  [no, { op: { op: "ad.schema", class: "computer" } }],
  // Filters look only at what they may.
  ["allow staff", search(filter("mail"))],
  [
    "allow staff",
    search({ filter: { any: [filter("mail").filter, { not: { attribute: "objectGUID", is: "present" } }] } }),
  ],
  [no, search(filter("department"))],
  [no, search(filter("homePhone"))],
  [no, search({ filter: { all: [filter("mail").filter, { not: filter("department").filter }] } })],
  [no, search(filter("aNR"))],
  [no, open(filter("1.2.840.113556.1.4.1208"))],
  ["allow everything", open({ attributes: ["title"], ...filter("department", "startsWith") })],
  // What is never read, by whichever name, behind whichever rule.
  [no, open({ attributes: ["unicodePwd"] })],
  [no, open({ attributes: ["UNICODEPWD"] })],
  [no, open({ attributes: ["1.2.840.113556.1.4.90"] })],
  [no, open({ attributes: ["supplementalCredentials"] })],
  [no, open({ attributes: ["ms-Mcs-AdmPwd"] })],
  [no, open({ attributes: ["msLAPS-EncryptedPassword"] })],
  [no, open({ attributes: ["1.2.840.113556.1.6.44.1.2"] })],
  [no, open({ attributes: ["msDS-ManagedPassword"] })],
  [no, open({ attributes: ["msFVE-RecoveryPassword"] })],
  [no, open({ attributes: ["trustAuthOutgoing"] })],
  [no, open({ attributes: ["nTSecurityDescriptor"] })],
  [no, open({ attributes: ["title"], ...filter("unicodePwd") })],
  [no, open({ attributes: ["title"], filter: { attribute: "msLAPS-Password", is: "present" } })],
  // The owner's denials: of a place, from above and below, and of attributes.
  ["deny policy.denied by no-board", search({ base: "OU=Board,OU=Staff,DC=corp,DC=example" })],
  ["deny policy.denied by no-board", search({ base: "CN=x,ou=BOARD,OU=Staff,DC=corp,DC=example" })],
  ["deny policy.denied by no-board", search({ base: "OU=Boàrd,OU=Staff,DC=corp,DC=example" })],
  ["deny policy.denied by no-board", search({ base: "OU=B\\6Fard,OU=Staff,DC=corp,DC=example" })],
  ["deny policy.denied by no-board", search({ base: STAFF, scope: "subtree", attributes: ["mail"] })],
  ["deny policy.denied by no-board", search({ base: STAFF, scope: "one" })],
  ["allow staff", search({ base: STAFF, scope: "base" })],
  ["deny policy.denied by no-phones", open({ attributes: ["title", "HomePhone"] })],
  ["deny policy.denied by no-phones", open({ attributes: "*" })],
  // An OID may be another name for what is denied: only the schema knows.
  ["deny policy.denied by no-phones", open({ attributes: ["0.9.2342.19200300.100.1.20"] })],
  ["deny policy.denied by no-phones", open({ attributes: ["title", "2.5.4.12"] })],
  ["deny policy.denied by no-phones", open({ attributes: ["title"], ...filter("0.9.2342.19200300.100.1.20") })],
  ["deny policy.denied by no-depot", search({ base: "OU=Depot,DC=corp,DC=example" })],
  ["deny policy.denied by no-phones", open({ attributes: ["title"], ...filter("homePhone") })],
  // Who, how, when, and what kind of connection.
  [no, { ...search(), user: "administrator@corp.example" }],
  [no, { ...search(), signIn: "ntlm" }],
  ["deny request.invalid", { ...search(), connection: "erp", user: "svc_sallyport", signIn: "sql" }],
  [
    "deny request.invalid",
    { connection: "corp", table: "dbo.Orders", user: "svc-sync@corp.example", signIn: "simple" },
  ],
  [no, search({ base: "OU=Old,DC=corp,DC=example" })],
  ["allow ended-ad", { ...search({ base: "OU=Old,DC=corp,DC=example" }), at: "2026-11-19T10:00:00Z" }],
  // Writes: each word allows itself.
  ["allow accounts", modify("givenName")],
  ["allow accounts", modify("mail", [], "remove")],
  [no, modify("title")],
  [no, modify("givenName", ["x"], "set", { class: "group" })],
  [no, modify("givenName", ["x"], "set", { object: "CN=x,OU=Other,DC=corp,DC=example" })],
  [no, modify("description", ["x"], "set", { object: "CN=x,OU=Rooms,DC=corp,DC=example" })],
  [no, write({ action: "members", add: [`CN=Ola,${STAFF}`] })],
  ["allow accounts", write({ action: "setPassword", password: "x" })],
  ["allow accounts", write({ action: "delete" })],
  ["allow accounts", write({ action: "rename", name: "CN=Kari N" })],
  ["deny request.invalid", write({ action: "rename", name: "OU=Kari" })],
  ["deny request.invalid", write({ action: "rename", name: "CN=Kari,OU=x" })],
  ["allow accounts", write({ action: "move", destination: LEAVERS })],
  [no, write({ action: "move", destination: STAFF })],
  ["deny policy.denied by no-board", write({ action: "move", destination: "OU=Board,OU=Staff,DC=corp,DC=example" })],
  ["deny policy.denied by no-board", write({ action: "delete", object: "CN=x,OU=Board,OU=Staff,DC=corp,DC=example" })],
  [
    "allow accounts",
    write({ action: "add", object: `CN=Ny,${NEW}`, attributes: { givenName: ["Ny"] }, password: "x" }),
  ],
  [no, write({ action: "add", object: `CN=Ny,${STAFF}`, attributes: { givenName: ["Ny"] } })],
  [no, write({ action: "add", object: `CN=Ny,${NEW}`, attributes: { title: ["x"] } })],
  ["allow only-members", members({ add: [KARI] })],
  ["allow only-members", members({ remove: [KARI, `CN=Ola,${STAFF}`] })],
  [no, members({ add: ["CN=x,OU=Other,DC=corp,DC=example"] })],
  ["deny policy.denied by no-board", members({ add: ["CN=x,OU=Board,OU=Staff,DC=corp,DC=example"] })],
  // What is never written, though the rule lists it.
  [no, modify("servicePrincipalName")],
  [no, modify("1.2.840.113556.1.4.771")],
  [no, modify("sIDHistory")],
  [no, modify("msDS-KeyCredentialLink")],
  [no, modify("msDS-AllowedToActOnBehalfOfOtherIdentity")],
  [no, modify("nTSecurityDescriptor")],
  [no, modify("unicodePwd")],
  [no, modify("objectClass")],
  [no, modify("member", [KARI], "add")],
  ["allow accounts", modify("userAccountControl", ["512"])],
  ["allow accounts", modify("userAccountControl", ["514"])],
  [no, modify("userAccountControl", ["66048"])],
  [no, modify("userAccountControl", ["0x200"])],
  [no, modify("userAccountControl", ["512", "514"])],
  [no, modify("userAccountControl", ["512"], "add")],
  [no, modify("1.2.840.113556.1.4.8", ["4194816"])],
  [no, write({ action: "add", object: `CN=Ny,${NEW}`, attributes: { userAccountControl: ["590336"] } })],
];
