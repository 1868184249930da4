/** Searches as Windows answers them: pages of 1,000 at most, values in ranges, and references to other servers. */
import { int, integer, type Node, octets, parse, sequence, text, tlv } from "./ber.ts";
import { matches } from "./filter.ts";
import { typeOf } from "./schema.ts";
import { type Store, type Stored, sidBytes, splitName } from "./store.ts";

/** Windows' LDAP policies [MS-ADTS 3.1.1.3.4.6]; a test makes them small. */
export interface SearchLimits {
  /** MaxPageSize: also where no page was asked for, and then the result is cut short with code 4. */
  readonly pageSize: number;
  /** MaxValRange: more values of one attribute come in ranges. */
  readonly values: number;
  /** Objects in one answer of DirSync. */
  readonly dirSync: number;
}

export interface Asked {
  readonly base: string;
  readonly scope: number;
  readonly sizeLimit: number;
  readonly filter: Node;
  readonly attributes: readonly string[];
  readonly controls: ReadonlyMap<string, Buffer>;
}

export interface Answer {
  /** Bodies of entries and references, with their tags. */
  readonly parts: readonly Buffer[];
  readonly code: number;
  readonly diagnostic: string;
  readonly matchedDn?: string;
  readonly referrals?: readonly string[];
  readonly controls?: Readonly<Record<string, Buffer>>;
}

export const PAGED = "1.2.840.113556.1.4.319";
export const DIR_SYNC = "1.2.840.113556.1.4.841";
export const SHOW_DELETED = "1.2.840.113556.1.4.417";
export const DESCRIPTOR_FLAGS = "1.2.840.113556.1.4.801";

/** Of one connection: the pages that are under way. A cookie of another connection is unknown here. */
export interface Pages {
  readonly waiting: Map<string, readonly Stored[]>;
  next: number;
}

export const noObject = (base: string, domain: string): Answer => ({
  ...{ parts: [], code: 32, matchedDn: domain },
  diagnostic: `0000208D: NameErr: DSID-0310028B, problem 2001 (NO_OBJECT), data 0, best match of:\n\t'${base}'\n\0`,
});

/** By the well-known GUID of the container [MS-ADTS 6.1.1.4]. */
const DELETED_OBJECTS = /^<WKGUID=18e2ea80684f11d2b9aa00c04f79f805,/i;

/** The object that a base names, also as `<GUID=…>` or `<SID=…>`. */
export function baseOf(store: Store, base: string): Stored | undefined {
  const sid = /^<SID=(S-1-[0-9-]+)>$/i.exec(base)?.[1];
  if (sid !== undefined) {
    const bytes = sidBytes(sid);
    return [...store.all].find(({ attributes }) => attributes.get("objectsid")?.values[0]?.equals(bytes));
  }
  const guid = /^<GUID=([0-9a-f-]{32,36})>$/i.exec(base)?.[1];
  if (DELETED_OBJECTS.test(base)) return store.find(`CN=Deleted Objects,${store.domain}`);
  if (guid === undefined) return store.find(base);
  const hex = guid.replaceAll("-", "");
  const bytes = Buffer.from(hex, "hex");
  // With hyphens the first three groups are numbers, without them all are bytes [MS-ADTS 3.1.1.3.1.2.4].
  const mixed = Buffer.from([3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15].map((at) => bytes[at] ?? 0));
  return store.findGuid(guid.includes("-") ? mixed : bytes);
}

const below = (dn: string, base: string): boolean =>
  dn.toLowerCase() === base.toLowerCase() || dn.toLowerCase().endsWith(`,${base.toLowerCase()}`);

export function inScope(asked: Pick<Asked, "scope">, base: Stored, object: Stored, store: Store): boolean {
  if (asked.scope === 0) return object === base;
  if (asked.scope === 1) return splitName(object.dn)[1].toLowerCase() === base.dn.toLowerCase();
  // Another naming context is not part of its parent's.
  const inConfiguration = below(object.dn, store.configuration);
  return below(object.dn, base.dn) && inConfiguration === below(base.dn, store.configuration);
}

export function search(
  store: Store,
  asked: Asked,
  pages: Pages,
  limits: SearchLimits,
  constructed: (object: Stored, attribute: string) => readonly Buffer[],
): Answer {
  const base = baseOf(store, asked.base);
  const showsDeleted = asked.controls.has(SHOW_DELETED);
  if (base === undefined || (base.deleted && !showsDeleted)) return noObject(asked.base, store.domain);
  const paged = asked.controls.get(PAGED);
  const page = paged === undefined ? undefined : pageOf(paged);
  if (page !== undefined && page.cookie !== "" && !pages.waiting.has(page.cookie)) {
    const diagnostic = "00000057: LdapErr: DSID-0C090EA4, comment: Error processing control, data 0, v4563\0";
    return { parts: [], code: 53, diagnostic };
  }
  const fits = (object: Stored): boolean =>
    (showsDeleted || !object.deleted) && inScope(asked, base, object, store) && matches(asked.filter, object);
  const all = pages.waiting.get(page?.cookie ?? "") ?? [...store.all].filter(fits);
  pages.waiting.delete(page?.cookie ?? "");
  const most = Math.min(page?.size || limits.pageSize, limits.pageSize, asked.sizeLimit || limits.pageSize);
  const shown = all.slice(0, most);
  const rest = all.slice(most);
  const references = page === undefined || page.cookie === "" ? referencesFrom(store, asked, base) : [];
  const parts = [...shown.map((object) => entry(object, asked, limits, constructed)), ...references];
  if (page === undefined) {
    const diagnostic = "00002023: SvcErr: DSID-031A120C, problem 5012 (DIR_ERROR), data 0\n\0";
    return rest.length === 0 ? { parts, code: 0, diagnostic: "" } : { parts, code: 4, diagnostic };
  }
  const cookie = rest.length === 0 ? "" : `page-${pages.next++}`;
  if (cookie !== "") pages.waiting.set(cookie, rest);
  return { parts, code: 0, diagnostic: "", controls: { [PAGED]: sequence(int(0), octets(cookie)) } };
}

function pageOf(control: Buffer): { readonly size: number; readonly cookie: string } {
  const [size, cookie] = parse(control)?.node.children ?? [];
  return { size: integer(size), cookie: text(cookie) };
}

/** A search from the root of the domain reaches other naming contexts, which are told of and not searched. */
function referencesFrom(store: Store, { scope }: Asked, base: Stored): Buffer[] {
  if (scope !== 2 || base.dn.toLowerCase() !== store.domain.toLowerCase()) return [];
  const host = store.domain.replace(/,?DC=/gi, ".").slice(1).toLowerCase();
  const urls = [
    `ldap://ForestDnsZones.${host}/DC=ForestDnsZones,${store.domain}`,
    `ldap://${host}/${store.configuration}`,
  ];
  return urls.map((url) => tlv(0x73, octets(url)));
}

const RANGE = /^(.+);range=(\d+)-(\d+|\*)$/i;
/** Never told by a wish for all, or never at all. */
const UNTOLD = new Set(["unicodepwd", "ntsecuritydescriptor"]);

export function entry(
  object: Stored,
  { attributes }: Pick<Asked, "attributes">,
  limits: SearchLimits,
  constructed: (object: Stored, attribute: string) => readonly Buffer[],
): Buffer {
  const wanted = attributes.length === 0 || attributes.includes("*");
  const names = wanted
    ? [...object.attributes.values()].map(({ name }) => name).filter((name) => !UNTOLD.has(name.toLowerCase()))
    : [];
  const list = [...names, ...attributes.filter((name) => name !== "*" && name !== "1.1")].flatMap((name) => {
    const [, plain = name, from, to] = RANGE.exec(name) ?? [];
    const spelt = typeOf(plain)?.name ?? plain;
    if (spelt.toLowerCase() === "unicodepwd") return [];
    const stored = object.attributes.get(spelt.toLowerCase());
    const values = stored?.values ?? constructed(object, spelt);
    return values.length === 0 ? [] : ranged(stored?.name ?? spelt, values, limits.values, from, to);
  });
  return tlv(0x64, octets(object.dn), sequence(...list));
}

/** Where nobody asked for a range and there are too many, the attribute comes twice: with nothing in it, and its first piece. */
function ranged(name: string, values: readonly Buffer[], most: number, from: string | undefined, to = "*"): Buffer[] {
  const start = Number(from ?? 0);
  const end = Math.min(to === "*" ? values.length : Number(to) + 1, start + most, values.length);
  const isWhole = from === undefined && end === values.length;
  const shown = isWhole ? name : `${name};range=${start}-${end === values.length ? "*" : end - 1}`;
  const piece = sequence(octets(shown), tlv(0x31, ...values.slice(start, end).map((value) => octets(value))));
  return from === undefined && !isWhole ? [sequence(octets(name), tlv(0x31)), piece] : [piece];
}
