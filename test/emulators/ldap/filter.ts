/** Search filters [RFC 4511 4.5.1.7], with the two bit rules of Active Directory [MS-ADTS 3.1.1.3.4.4]. */
import { type Node, text } from "./ber.ts";
import { typeOf } from "./schema.ts";
import type { Stored } from "./store.ts";

/** Undefined is the standard's third value: the attribute is none that is known. */
type Verdict = boolean | undefined;

const AND = 0xa0;
const OR = 0xa1;
const NOT = 0xa2;
const EQUAL = 0xa3;
const SUBSTRINGS = 0xa4;
const AT_LEAST = 0xa5;
const AT_MOST = 0xa6;
const PRESENT = 0x87;
const EXTENSIBLE = 0xa9;
const BITS_ALL = "1.2.840.113556.1.4.803";
const BITS_ANY = "1.2.840.113556.1.4.804";

/** @throws RangeError for a filter that is none */
export function matches(filter: Node, object: Stored): boolean {
  return judge(filter, object) === true;
}

function judge(filter: Node, object: Stored): Verdict {
  const { tag, children } = filter;
  switch (tag) {
    case AND: {
      const verdicts = children.map((child) => judge(child, object));
      return verdicts.includes(false) ? false : verdicts.includes(undefined) ? undefined : true;
    }
    case OR: {
      const verdicts = children.map((child) => judge(child, object));
      return verdicts.includes(true) ? true : verdicts.includes(undefined) ? undefined : false;
    }
    case NOT: {
      const verdict = judge(children[0]!, object);
      return verdict === undefined ? undefined : !verdict;
    }
    case PRESENT:
      return /^objectclass$/i.test(text(filter)) || valuesOf(object, text(filter)).length > 0;
    case EXTENSIBLE:
      return extensible(children, object);
    case EQUAL:
    case SUBSTRINGS:
    case AT_LEAST:
    case AT_MOST:
      return compare(tag, text(children[0]), children[1]!, object);
    default:
      throw new RangeError(`no filter of tag ${tag}`);
  }
}

const valuesOf = (object: Stored, attribute: string): readonly Buffer[] =>
  object.attributes.get((typeOf(attribute)?.name ?? attribute).toLowerCase())?.values ?? [];

function compare(tag: number, attribute: string, asserted: Node, object: Stored): Verdict {
  const type = typeOf(attribute);
  const values = valuesOf(object, attribute);
  if (type === undefined && values.length === 0)
    return /^(lDAPDisplayName|attributeID|governsID)$/i.test(attribute) ? false : undefined;
  if (tag === SUBSTRINGS) return values.some((value) => substrings(asserted, value.toString("utf8")));
  const isBinary = type?.syntax === "2.5.5.10" || type?.syntax === "2.5.5.17";
  if (tag === EQUAL) {
    const equal = (value: Buffer): boolean =>
      isBinary ? value.equals(asserted.content) : fold(value.toString("utf8")) === fold(text(asserted));
    return values.some(equal);
  }
  const sign = tag === AT_LEAST ? 1 : -1;
  return values.some((value) => order(value.toString("utf8"), text(asserted)) * sign >= 0);
}

const fold = (value: string): string => value.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

function order(a: string, b: string): number {
  if (/^-?\d+$/.test(a) && /^-?\d+$/.test(b)) return BigInt(a) < BigInt(b) ? -1 : BigInt(a) > BigInt(b) ? 1 : 0;
  return fold(a) < fold(b) ? -1 : fold(a) > fold(b) ? 1 : 0;
}

function substrings(pieces: Node, value: string): boolean {
  let rest = fold(value);
  for (const piece of pieces.children) {
    const wanted = fold(text(piece));
    if (piece.tag === 0x80) {
      if (!rest.startsWith(wanted)) return false;
      rest = rest.slice(wanted.length);
    } else if (piece.tag === 0x82) {
      if (!rest.endsWith(wanted)) return false;
      rest = "";
    } else {
      const at = rest.indexOf(wanted);
      if (at < 0) return false;
      rest = rest.slice(at + wanted.length);
    }
  }
  return true;
}

function extensible(parts: readonly Node[], object: Stored): Verdict {
  const part = (tag: number): string => text(parts.find((one) => one.tag === tag));
  const rule = part(0x81);
  if (rule !== BITS_ALL && rule !== BITS_ANY) return undefined;
  const wanted = BigInt(part(0x83));
  return valuesOf(object, part(0x82)).some((value) => {
    const bits = BigInt.asUintN(64, BigInt(value.toString("utf8"))) & BigInt.asUintN(64, wanted);
    return rule === BITS_ALL ? bits === BigInt.asUintN(64, wanted) : bits !== 0n;
  });
}
