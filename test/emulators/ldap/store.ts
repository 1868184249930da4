/** The objects of a small domain: distinguished names, GUIDs, SIDs and update sequence numbers as a controller keeps them. */
import { randomBytes } from "node:crypto";
import { ATTRIBUTE_TYPES, CLASS_TYPES, classChain } from "./schema.ts";

export interface Stored {
  dn: string;
  readonly guid: Buffer;
  /** By lower-case name; `name` as it is spelt. */
  readonly attributes: Map<string, { readonly name: string; values: Buffer[]; usn: number }>;
  /** Of each linked attribute: its values that are there or were, and when that changed. */
  readonly links: Map<string, Map<string, { readonly present: boolean; readonly usn: number }>>;
  deleted: boolean;
  usn: number;
}

export type Values = Readonly<Record<string, string | Buffer | readonly (string | Buffer)[]>>;

export interface Store {
  readonly domain: string;
  readonly schema: string;
  readonly configuration: string;
  readonly domainSid: string;
  /** The greatest update sequence number so far. */
  readonly usn: number;
  readonly all: Iterable<Stored>;
  find(dn: string): Stored | undefined;
  findGuid(guid: Buffer): Stored | undefined;
  /** A new object of that class; its parent must be there. */
  add(dn: string, objectClass: string, values?: Values): Stored;
  /** Sets, or with no values removes, attributes. */
  set(dn: string, values: Values): void;
  move(dn: string, newDn: string): void;
  /** Becomes a tombstone under `CN=Deleted Objects`. */
  remove(dn: string): void;
}

export const buffersOf = (value: Values[string]): Buffer[] =>
  (Array.isArray(value) ? value : [value]).map((one: string | Buffer) =>
    typeof one === "string" ? Buffer.from(one) : one,
  );

/** With hyphens the first three groups are numbers [MS-DTYP 2.3.4.2]. */
export function guidText(guid: Buffer): string {
  const hex = Buffer.from([3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15].map((at) => guid[at]!)).toString(
    "hex",
  );
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** The first part of a name, and what it stands under. */
export function splitName(dn: string): readonly [rdn: string, parent: string] {
  for (let at = 0; at < dn.length; at += 1) {
    if (dn[at] === "\\") at += 1;
    else if (dn[at] === ",") return [dn.slice(0, at), dn.slice(at + 1)];
  }
  return [dn, ""];
}

const plainValue = (rdn: string): string =>
  rdn
    .slice(rdn.indexOf("=") + 1)
    .replace(/\\(?:([0-9A-Fa-f]{2})|(.))/g, (_, hex, letter) =>
      hex === undefined ? letter : Buffer.from(hex, "hex").toString("latin1"),
    );

const LETTERS: Readonly<Record<string, string>> = { ø: "o", ł: "l", đ: "d", æ: "ae", œ: "oe", ß: "ss", þ: "th" };

/**
 * Names with one weight are one name: Windows compares them without regard to case, accents, width and kind of kana
 * (LCMapString with NORM_IGNORENONSPACE, IGNOREWIDTH, IGNOREKANATYPE), and letters that are not seen have none [MS-ADTS 6.5].
 */
const weight = (dn: string): string =>
  dn
    .normalize("NFKD")
    .toLowerCase()
    .replace(/[øłđæœßþ]/g, (letter) => LETTERS[letter] ?? letter)
    .replace(/[ぁ-ゖ]/g, (letter) => String.fromCharCode(letter.charCodeAt(0) + 0x60))
    .replace(/[\p{M}\p{Cf}]/gu, "");

const PRINCIPALS = new Set(["user", "group", "computer"]);

/** Of the controller itself. */
export const serviceName = (configuration: string): string =>
  `CN=NTDS Settings,CN=DC1,CN=Servers,CN=Default-First-Site-Name,CN=Sites,${configuration}`;

/** @param domain `DC=corp,DC=example` */
export function createStore(domain: string, nowMs: () => number): Store {
  const byDn = new Map<string, Stored>();
  const configuration = `CN=Configuration,${domain}`;
  const schema = `CN=Schema,${configuration}`;
  const domainSid = `S-1-5-21-${[1, 2, 3].map(() => randomBytes(4).readUInt32LE() % 0x7fff_ffff).join("-")}`;
  let usn = 1000;
  let nextRid = 1100;
  const key = (dn: string): string => weight(dn).replace(/\s*([,=])\s*/g, "$1");
  const stamp = (): string => `${new Date(nowMs()).toISOString().replace(/[-:T]/g, "").slice(0, 14)}.0Z`;

  const put = (object: Stored, name: string, values: Buffer[]): void => {
    const at = name.toLowerCase();
    // One that went is remembered: DirSync tells of it.
    if (values.length > 0 || object.attributes.has(at)) object.attributes.set(at, { name, values, usn: object.usn });
    if (at === "member") link(object, at, values);
  };
  const link = (object: Stored, at: string, values: readonly Buffer[]): void => {
    const links = object.links.get(at) ?? new Map<string, { present: boolean; usn: number }>();
    const now = new Set(values.map((value) => value.toString("utf8")));
    for (const [value, { present }] of links)
      if (present && !now.has(value)) links.set(value, { present: false, usn: object.usn });
    for (const value of now)
      if (links.get(value)?.present !== true) links.set(value, { present: true, usn: object.usn });
    object.links.set(at, links);
  };
  const touch = (object: Stored): void => {
    usn += 1;
    object.usn = usn;
    put(object, "uSNChanged", [Buffer.from(String(usn))]);
    put(object, "whenChanged", [Buffer.from(stamp())]);
  };
  const rename = (object: Stored, dn: string): void => {
    const before = object.dn;
    // A reference, as every name in a value: it follows what it names, and nobody's number counts on for it.
    for (const { attributes } of byDn.values()) {
      const parent = attributes.get("lastknownparent");
      if (parent?.values[0]?.toString("utf8") === before) parent.values = [Buffer.from(dn)];
    }
    byDn.delete(key(before));
    object.dn = dn;
    byDn.set(key(dn), object);
    put(object, "distinguishedName", [Buffer.from(dn)]);
  };
  const known = (dn: string): Stored => {
    const object = byDn.get(key(dn));
    if (object === undefined) throw new RangeError(`no object ${dn}`);
    return object;
  };

  const store: Store = {
    ...{ domain, schema, configuration, domainSid },
    get usn() {
      return usn;
    },
    get all() {
      return byDn.values();
    },
    find: (dn) => byDn.get(key(dn)),
    findGuid: (guid) => [...byDn.values()].find((object) => object.guid.equals(guid)),
    add(dn, objectClass, values = {}) {
      if (byDn.has(key(dn))) throw new RangeError(`${dn} is there`);
      const object: Stored = {
        dn,
        guid: randomBytes(16),
        attributes: new Map(),
        links: new Map(),
        deleted: false,
        usn: 0,
      };
      byDn.set(key(dn), object);
      touch(object);
      const rdn = plainValue(splitName(dn)[0]);
      const own: Values = {
        objectClass: classChain(objectClass),
        objectGUID: object.guid,
        name: rdn,
        [dn.slice(0, dn.indexOf("=")).toLowerCase()]: rdn,
        distinguishedName: dn,
        whenCreated: stamp(),
        uSNCreated: String(usn),
        ...(PRINCIPALS.has(objectClass) ? { objectSid: sidBytes(`${domainSid}-${nextRid++}`) } : {}),
      };
      for (const [name, value] of Object.entries({ ...own, ...values })) put(object, name, buffersOf(value));
      return object;
    },
    set(dn, values) {
      const object = known(dn);
      touch(object);
      for (const [name, value] of Object.entries(values)) put(object, name, buffersOf(value));
    },
    move(dn, newDn) {
      const object = known(dn);
      for (const below of [...byDn.values()]) {
        if (below !== object && key(below.dn).endsWith(`,${key(dn)}`)) {
          rename(below, below.dn.slice(0, below.dn.length - dn.length) + newDn);
        }
      }
      rename(object, newDn);
      touch(object);
      put(object, "name", [Buffer.from(plainValue(splitName(newDn)[0]))]);
    },
    remove(dn) {
      const object = known(dn);
      object.deleted = true;
      touch(object);
      const [rdn, parent] = splitName(object.dn);
      for (const { name } of [...object.attributes.values()]) if (!KEPT.has(name.toLowerCase())) put(object, name, []);
      put(object, "isDeleted", [Buffer.from("TRUE")]);
      put(object, "lastKnownParent", [Buffer.from(parent)]);
      rename(object, `${rdn}\\0ADEL:${guidText(object.guid)},CN=Deleted Objects,${domain}`);
    },
  };
  store.add(domain, "domainDNS", { objectSid: sidBytes(domainSid), maxPwdAge: "-36288000000000" });
  store.add(configuration, "container");
  store.add(schema, "container");
  store.add(`CN=Deleted Objects,${domain}`, "container");
  // Of the controller's own database: another one, or a restored one, has another invocation id.
  store.add(serviceName(configuration), "container", { invocationId: randomBytes(16) });
  fillSchema(store);
  return store;
}

/** What a tombstone keeps [MS-ADTS 3.1.1.5.5.1.1], of what is here. */
const KEPT = new Set([
  ...["objectclass", "objectguid", "objectsid", "distinguishedname", "name", "cn", "usncreated", "usnchanged"],
  ...["whencreated", "whenchanged", "samaccountname", "isdeleted", "lastknownparent"],
]);

function fillSchema(store: Store): void {
  for (const type of ATTRIBUTE_TYPES) {
    store.add(`CN=${type.name},${store.schema}`, "container", {
      objectClass: ["top", "attributeSchema"],
      lDAPDisplayName: type.name,
      attributeID: type.oid,
      attributeSyntax: type.syntax,
      oMSyntax: String(type.om),
      isSingleValued: type.single ? "TRUE" : "FALSE",
      systemFlags: type.constructed ? "20" : "16",
    });
  }
  for (const type of CLASS_TYPES) {
    store.add(`CN=${type.name},${store.schema}`, "container", {
      objectClass: ["top", "classSchema"],
      lDAPDisplayName: type.name,
      governsID: type.oid,
      subClassOf: type.parent,
      objectClassCategory: String(type.category),
      systemAuxiliaryClass: [...type.auxiliary],
      systemMustContain: [...type.must],
      systemMayContain: [...type.may],
    });
  }
}

/** `S-1-5-…` as it is stored [MS-DTYP 2.4.2.2]. */
export function sidBytes(sid: string): Buffer {
  const [, , authority = "0", ...parts] = sid.split("-");
  const bytes = Buffer.alloc(8 + parts.length * 4);
  bytes.writeUInt8(1, 0);
  bytes.writeUInt8(parts.length, 1);
  bytes.writeUIntBE(Number(authority), 2, 6);
  parts.forEach((part, index) => {
    bytes.writeUInt32LE(Number(part), 8 + index * 4);
  });
  return bytes;
}
