/** A stream of bytes cut into whole messages by the length that each begins with. Pure; it never holds more than one may have. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";

/** Bytes of the message that begins there; undefined while too few are here to tell. @throws where none begins so. */
type MessageLength = (held: Buffer, at: number) => number | undefined;

export interface Framing {
  push(chunk: Buffer): void;
  /** The next whole message, or undefined until more has come. @throws SallyportError `directory.protocol` */
  next(): Buffer | undefined;
  /** What came and belongs to no message that was taken. */
  readonly heldBytes: number;
}

export function createFraming(lengthOf: MessageLength, mostBytes: number): Framing {
  let chunks: Buffer[] = [];
  /** Where in the first chunk what is held begins. */
  let at = 0;
  let heldBytes = 0;
  let wantedBytes = 1;
  /** All that is held, from `at` on, in one piece: made once for a message, however many chunks it came in. */
  const gather = (): Buffer => {
    if (chunks.length === 1) return chunks[0]!;
    const [first, ...others] = chunks;
    const whole = Buffer.concat([first!.subarray(at), ...others], heldBytes);
    at = 0;
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
      const bytes = lengthOf(held, at);
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
      const message = held.subarray(at, at + bytes);
      heldBytes -= bytes;
      at = heldBytes === 0 ? 0 : at + bytes;
      if (heldBytes === 0) chunks = [];
      wantedBytes = 1;
      return message;
    },
    get heldBytes() {
      return heldBytes;
    },
  };
}

const SEQUENCE = 0x30;

/** Of an LDAPMessage: a SEQUENCE of definite length, of at most four bytes [RFC 4511 5.1]. */
export const ldapMessageLength: MessageLength = (held, at) => {
  if (held[at] !== SEQUENCE) throw notLdap();
  const first = held[at + 1];
  if (first === undefined) return undefined;
  if (first < 0x80) return 2 + first;
  const count = first & 0x7f;
  if (count === 0 || count > 4) throw notLdap();
  return held.length < at + 2 + count ? undefined : 2 + count + held.readUIntBE(at + 2, count);
};

/** Of a buffer under a SASL security layer: four bytes of length, then so many [RFC 4422 3.7]. */
export const saslBufferLength: MessageLength = (held, at) =>
  held.length < at + 4 ? undefined : 4 + held.readUInt32BE(at);

const notLdap = (): SallyportError =>
  new SallyportError("directory.protocol", "What answers there does not speak LDAP.");
