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
  /** Goes past the next element, which must have this tag, and answers where its content begins; it ends at `position`. */
  pass(tag: number): number;
  /** Where in the message the next element begins. */
  readonly position: number;
  /** The content of the next element, to be read in turn. */
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
export const readBer = (bytes: Buffer): Ber => new Reader(bytes);

/** A class, because there are two of these for each object of a directory: as functions of a scope they are a kilobyte each. */
class Reader implements Ber {
  private readonly bytes: Buffer;
  private at = 0;
  /** Where what is being read ends. */
  private limit: number;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
    this.limit = bytes.length;
  }

  get isEmpty(): boolean {
    return this.at === this.limit;
  }

  peek(): number | undefined {
    return this.at < this.limit ? this.bytes[this.at] : undefined;
  }

  take(tag: number): Buffer {
    const end = this.begin(tag);
    const content = this.bytes.subarray(this.at, end);
    this.at = end;
    return content;
  }

  pass(tag: number): number {
    const end = this.begin(tag);
    const start = this.at;
    this.at = end;
    return start;
  }

  get position(): number {
    return this.at;
  }

  open(tag: number): Ber {
    return new Reader(this.take(tag));
  }

  enter(tag: number): number {
    const outer = this.limit;
    this.limit = this.begin(tag);
    return outer;
  }

  leave(outer: number): void {
    this.at = this.limit;
    this.limit = outer;
  }

  text(tag: number = TAG.octets): string {
    const end = this.begin(tag);
    const text = this.bytes.toString("utf8", this.at, end);
    this.at = end;
    return text;
  }

  integer(tag: number = TAG.integer): number {
    const end = this.begin(tag);
    const length = end - this.at;
    if (length === 0 || length > 6) throw malformed();
    const value = this.bytes.readIntBE(this.at, length);
    this.at = end;
    return value;
  }

  /** Goes to the next element's content and answers where that ends. */
  private begin(tag: number): number {
    const { bytes, limit } = this;
    if (this.at + 2 > limit || bytes[this.at] !== tag) throw malformed();
    let length = bytes[this.at + 1]!;
    this.at += 2;
    if (length >= 0x80) {
      const count = length & 0x7f;
      if (count === 0 || count > 4 || this.at + count > limit) throw malformed();
      length = bytes.readUIntBE(this.at, count);
      this.at += count;
    }
    if (length > limit - this.at) throw malformed();
    return this.at + length;
  }
}
