/** DirSync [MS-ADTS 3.1.1.3.4.1.3]: what changed since a cookie, tombstones included, in answers of a few objects each. */
import { int, integer, octets, parse, sequence, tlv } from "./ber.ts";
import { matches } from "./filter.ts";
import { type Answer, type Asked, baseOf, DIR_SYNC, inScope } from "./search.ts";
import { type Store, type Stored, splitName } from "./store.ts";

const OBJECT_SECURITY = 0x1;
const INCREMENTAL_VALUES = 0x80000000;

/** What the controller calls itself in cookies: after `forget` none of those before is known. */
export interface Cookies {
  generation: number;
}

const refused = (code: number, diagnostic: string): Answer => ({ parts: [], code, diagnostic });

/** @param most objects in one answer; the rest comes with the next one */
export function dirSync(store: Store, asked: Asked, cookies: Cookies, most: number): Answer {
  const base = baseOf(store, asked.base);
  const roots = [store.domain, store.configuration, store.schema];
  if (base === undefined || !roots.some((root) => root.toLowerCase() === base.dn.toLowerCase())) {
    return refused(53, "00002077: SvcErr: DSID-0314018D, problem 5003 (WILL_NOT_PERFORM), data 0\n\0");
  }
  const [flagsNode, , cookieNode] = parse(asked.controls.get(DIR_SYNC)!)?.node.children ?? [];
  const flags = integer(flagsNode);
  if ((flags & OBJECT_SECURITY) === 0) {
    return refused(50, "00002105: SecErr: DSID-03151E07, problem 4003 (INSUFF_ACCESS_RIGHTS), data 0\n\0");
  }
  const since = readCookie(cookieNode?.content ?? Buffer.alloc(0), cookies);
  if (since === undefined)
    return refused(12, "00002077: LdapErr: DSID-0C0909A4, comment: Error processing control, data 0, v4563\0");
  const isIn = (object: Stored): boolean => object.deleted || inScope(asked, base, object, store);
  const changed = [...store.all]
    .filter((object) => object.usn > since && isIn(object) && matches(asked.filter, object))
    .sort((a, b) => a.usn - b.usn);
  const shown = changed.slice(0, most);
  const isMore = shown.length < changed.length;
  const until = isMore ? shown.at(-1)!.usn : store.usn;
  const incremental = (flags & INCREMENTAL_VALUES) !== 0;
  const cookie = `MSDS ${cookies.generation} ${until}`;
  return {
    parts: shown.map((object) => entryOf(store, object, asked, since, incremental)),
    ...{ code: 0, diagnostic: "" },
    controls: { [DIR_SYNC]: sequence(int(isMore ? 1 : 0), int(0), octets(cookie)) },
  };
}

/** The sequence number up to which a cookie saw; undefined for one that is not known. */
function readCookie(cookie: Buffer, { generation }: Cookies): number | undefined {
  if (cookie.length === 0) return 0;
  const [, of, until] = /^MSDS (\d+) (\d+)$/.exec(cookie.toString("latin1")) ?? [];
  return Number(of) === generation ? Number(until) : undefined;
}

/** Always there, with what has changed: an attribute without a value now comes with none. */
const ALWAYS = new Set(["objectguid", "isdeleted"]);
const NEVER = new Set(["unicodepwd", "ntsecuritydescriptor", "distinguishedname"]);

function entryOf(store: Store, object: Stored, asked: Asked, since: number, incremental: boolean): Buffer {
  const wanted = asked.attributes.map((name) => name.toLowerCase());
  const isWanted = (key: string): boolean => wanted.length === 0 || wanted.includes("*") || wanted.includes(key);
  const list = [...object.attributes].flatMap(([key, { name, values, usn }]) => {
    if (NEVER.has(key) || (!ALWAYS.has(key) && (usn <= since || !isWanted(key)))) return [];
    if (incremental && object.links.has(key)) return changedLinks(object, key, name, since);
    return [attributeOf(name, values)];
  });
  const parent = store.find(splitName(object.dn)[1]);
  const parentGuid = parent === undefined || object.deleted ? [] : [attributeOf("parentGUID", [parent.guid])];
  return tlv(0x64, octets(object.dn), sequence(...list, ...parentGuid));
}

/** Of linked values only those that came (`range=1-1`) and went (`range=0-0`) since. */
function changedLinks(object: Stored, key: string, name: string, since: number): Buffer[] {
  const changed = [...(object.links.get(key) ?? [])].filter(([, { usn }]) => usn > since);
  return [true, false].flatMap((isThere) => {
    const values = changed.filter(([, { present }]) => present === isThere).map(([value]) => Buffer.from(value));
    return values.length === 0 ? [] : [attributeOf(`${name};range=${isThere ? "1-1" : "0-0"}`, values)];
  });
}

const attributeOf = (name: string, values: readonly Buffer[]): Buffer =>
  sequence(octets(name), tlv(0x31, ...values.map((value) => octets(value))));
