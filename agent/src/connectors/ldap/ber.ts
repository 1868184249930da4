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
  /** Goes into the next element, which must have this tag; what it answers is for `leave`. Of an entry there are many. */
  enter(tag: number): number;
  /** Goes on after the element that was entered, whatever of it was read: what is not known is passed over [RFC 4511 4]. */
  leave(outer: number): void;
  text(tag?: number): string;
  /** A whole number of at most 6 bytes. */
  integer(tag?: number): number;
}

const malformed = (): SallyportError =>
  new SallyportError("directory.protocol", "The directory sent what cannot be read as LDAP.");

/** @throws SallyportError `directory.protocol`, from each of its functions */
export function readBer(bytes: Buffer): Ber {
  let at = 0;
  /** Where what is being read ends. */
  let limit = bytes.length;
  /** Goes to the next element's content and answers where that ends. */
  const begin = (tag: number): number => {
    if (at + 2 > limit || bytes[at] !== tag) throw malformed();
    let length = bytes[at + 1]!;
    at += 2;
    if (length >= 0x80) {
      const count = length & 0x7f;
      if (count === 0 || count > 4 || at + count > limit) throw malformed();
      length = bytes.readUIntBE(at, count);
      at += count;
    }
    if (length > limit - at) throw malformed();
    return at + length;
  };
  const take = (tag: number): Buffer => {
    const end = begin(tag);
    const content = bytes.subarray(at, end);
    at = end;
    return content;
  };
  return {
    get isEmpty() {
      return at === limit;
    },
    peek: () => (at < limit ? bytes[at] : undefined),
    take,
    enter(tag) {
      const outer = limit;
      limit = begin(tag);
      return outer;
    },
    leave(outer) {
      at = limit;
      limit = outer;
    },
    open: (tag) => readBer(take(tag)),
    text(tag = TAG.octets) {
      const end = begin(tag);
      const text = bytes.toString("utf8", at, end);
      at = end;
      return text;
    },
    integer(tag = TAG.integer) {
      const content = take(tag);
      if (content.length === 0 || content.length > 6) throw malformed();
      return content.readIntBE(0, content.length);
    },
  };
}
