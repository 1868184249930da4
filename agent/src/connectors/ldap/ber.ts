/**
 * What a directory answers, read strictly: every length is held against the bytes that are there [X.690 8.1; RFC 4511 5.1].
 * `ldapts` writes our requests; its reader goes round for ever on some malformed answers, so it reads none.
 */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";

export const TAG = {
  ...{ boolean: 0x01, integer: 0x02, octets: 0x04, enumerated: 0x0a, sequence: 0x30, set: 0x31 },
  /** `[0]` of an LDAPMessage, and `[3]` of a result. */
  ...{ controls: 0xa0, referral: 0xa3 },
} as const;

/** Reads a part of a message from its beginning; each call takes one element. */
export interface Ber {
  /** Nothing is left. */
  readonly isEmpty: boolean;
  /** The tag of the next element, or undefined at the end. */
  peek(): number | undefined;
  /** The content of the next element, which must have this tag; a view of the message. */
  take(tag: number): Buffer;
  /** The same, to be read in turn. */
  open(tag: number): Ber;
  text(tag?: number): string;
  /** A whole number of at most 6 bytes. */
  integer(tag?: number): number;
}

const malformed = (): SallyportError =>
  new SallyportError("directory.protocol", "The directory sent what cannot be read as LDAP.");

/** @throws SallyportError `directory.protocol`, from each of its functions */
export function readBer(bytes: Buffer): Ber {
  let at = 0;
  const take = (tag: number): Buffer => {
    if (bytes[at] !== tag) throw malformed();
    const first = bytes[at + 1];
    if (first === undefined) throw malformed();
    let start = at + 2;
    let length = first;
    if (first >= 0x80) {
      const count = first & 0x7f;
      if (count === 0 || count > 4 || start + count > bytes.length) throw malformed();
      length = bytes.readUIntBE(start, count);
      start += count;
    }
    if (length > bytes.length - start) throw malformed();
    at = start + length;
    return bytes.subarray(start, at);
  };
  return {
    get isEmpty() {
      return at === bytes.length;
    },
    peek: () => bytes[at],
    take,
    open: (tag) => readBer(take(tag)),
    text: (tag = TAG.octets) => take(tag).toString("utf8"),
    integer(tag = TAG.integer) {
      const content = take(tag);
      if (content.length === 0 || content.length > 6) throw malformed();
      return content.readIntBE(0, content.length);
    },
  };
}
