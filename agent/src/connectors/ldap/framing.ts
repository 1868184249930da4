/** A stream of bytes cut into whole messages by the length that each begins with. Pure; it never holds more than one may have. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";

/** Bytes of the message that begins with these; undefined while too few are here to tell. @throws where none begins so. */
export type MessageLength = (head: Buffer) => number | undefined;

export interface Framing {
  push(chunk: Buffer): void;
  /** The next whole message, or undefined until more has come. @throws SallyportError `directory.protocol` */
  next(): Buffer | undefined;
  /** What came and belongs to no message that was taken. */
  readonly heldBytes: number;
}

/** Enough to tell the length of any message: a tag, or four bytes of length and none before. */
const HEAD_BYTES = 6;

export function createFraming(lengthOf: MessageLength, mostBytes: number): Framing {
  let chunks: Buffer[] = [];
  let heldBytes = 0;
  let wantedBytes = 1;
  /** All that is held, in one piece: made once for a message, however many chunks it came in. */
  const gather = (): Buffer => {
    const whole = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, heldBytes);
    chunks = [whole];
    return whole;
  };
  return {
    push(chunk) {
      if (chunk.length === 0) return;
      chunks.push(chunk);
      heldBytes += chunk.length;
    },
    next() {
      if (heldBytes < wantedBytes) return undefined;
      const held = gather();
      const bytes = lengthOf(held.subarray(0, HEAD_BYTES));
      if (bytes === undefined) {
        wantedBytes = heldBytes + 1;
        return undefined;
      }
      if (bytes > mostBytes) {
        throw new SallyportError("directory.protocol", "The directory announces a message that is too large.", {
          bytes,
        });
      }
      wantedBytes = bytes;
      if (heldBytes < bytes) return undefined;
      const rest = held.subarray(bytes);
      chunks = rest.length === 0 ? [] : [rest];
      heldBytes = rest.length;
      wantedBytes = 1;
      return held.subarray(0, bytes);
    },
    get heldBytes() {
      return heldBytes;
    },
  };
}

const SEQUENCE = 0x30;

/** Of an LDAPMessage: a SEQUENCE of definite length, of at most four bytes [RFC 4511 5.1]. */
export const ldapMessageLength: MessageLength = (head) => {
  if (head[0] !== SEQUENCE) throw notLdap();
  const first = head[1];
  if (first === undefined) return undefined;
  if (first < 0x80) return 2 + first;
  const count = first & 0x7f;
  if (count === 0 || count > 4) throw notLdap();
  return head.length < 2 + count ? undefined : 2 + count + head.readUIntBE(2, count);
};

/** Of a buffer under a SASL security layer: four bytes of length, then so many [RFC 4422 3.7]. */
export const saslBufferLength: MessageLength = (head) => (head.length < 4 ? undefined : 4 + head.readUInt32BE(0));

const notLdap = (): SallyportError =>
  new SallyportError("directory.protocol", "What answers there does not speak LDAP.");
