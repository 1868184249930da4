/** What a security descriptor grants [MS-DTYP 2.4.6], as far as it says who may replicate a domain. Pure. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { guidText, sidText } from "./sid.ts";

/** A right that a descriptor gives or refuses, by the names of an access control entry. */
export interface Ace {
  readonly allows: boolean;
  readonly mask: number;
  /** The property, class or extended right that it is about; undefined for all. */
  readonly object: string | undefined;
  readonly sid: string;
}

const ALLOWED = 0x00;
const DENIED = 0x01;
const ALLOWED_OBJECT = 0x05;
const DENIED_OBJECT = 0x06;
const INHERIT_ONLY = 0x08;
const HAS_OBJECT = 0x1;
const HAS_INHERITED_OBJECT = 0x2;

/** The entries of the DACL that count for the object itself, in their order. @throws SallyportError `directory.protocol` */
export function readDacl(descriptor: Buffer): Ace[] {
  try {
    const at = descriptor.readUInt32LE(16);
    if (at === 0) return [];
    const acl = descriptor.subarray(at, at + descriptor.readUInt16LE(at + 2));
    const count = acl.readUInt16LE(4);
    const aces: Ace[] = [];
    for (let start = 8, index = 0; index < count; index += 1) {
      const bytes = acl.readUInt16LE(start + 2);
      if (bytes < 8) throw new RangeError("an entry is at least its header");
      const ace = readAce(acl.subarray(start, start + bytes));
      if (ace !== undefined) aces.push(ace);
      start += bytes;
    }
    return aces;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new SallyportError("directory.protocol", "The directory sent a security descriptor that cannot be read.");
  }
}

function readAce(bytes: Buffer): Ace | undefined {
  const [type, flags = 0] = bytes;
  if ((flags & INHERIT_ONLY) !== 0) return undefined;
  const mask = bytes.readUInt32LE(4);
  if (type === ALLOWED || type === DENIED) return aceOf(type === ALLOWED, mask, undefined, bytes.subarray(8));
  if (type !== ALLOWED_OBJECT && type !== DENIED_OBJECT) return undefined;
  const has = bytes.readUInt32LE(8);
  const object = (has & HAS_OBJECT) === 0 ? undefined : guidText(bytes.subarray(12, 28));
  const sidAt = 12 + (object === undefined ? 0 : 16) + ((has & HAS_INHERITED_OBJECT) === 0 ? 0 : 16);
  return aceOf(type === ALLOWED_OBJECT, mask, object, bytes.subarray(sidAt));
}

function aceOf(allows: boolean, mask: number, object: string | undefined, rest: Buffer): Ace | undefined {
  const sid = sidText(rest.subarray(0, 8 + (rest[1] ?? 0) * 4));
  return sid === undefined ? undefined : { allows, mask, object, sid };
}

/** Extended rights, and all rights at once [MS-ADTS 5.1.3.2]. */
const CONTROL_ACCESS = 0x100;
const GENERIC_ALL = 0x1000_0000;

/** Whether somebody with these SIDs has the extended right: the first entry that speaks of it decides. */
export function hasRight(dacl: readonly Ace[], right: string, sids: ReadonlySet<string>): boolean {
  const about = dacl.find(
    ({ mask, object, sid }) =>
      sids.has(sid) && (mask & (CONTROL_ACCESS | GENERIC_ALL)) !== 0 && (object === undefined || object === right),
  );
  return about?.allows === true;
}
