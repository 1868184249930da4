/** Messages that come in pieces, put together under a limit. Owns no socket and no clock. */
import type { SallyportError } from "./errors.ts";
import type { Frame, FrameType } from "./frames.ts";

/** Pieces hold at least 4 KiB each on average, but for a few. */
const MIN_PIECE_BYTES = 4096;
const FREE_PIECES = 64;

export interface Collector {
  /** A message is begun and not yet whole. */
  readonly open: boolean;
  /** Adds a piece; answers the whole message with its last one. @throws protocol.order */
  add(frame: Frame, maxBytes: number): Buffer | undefined;
}

/** @param refuse makes the error of a stream that is out of order */
export function createCollector(refuse: (why: string, frame: Frame) => SallyportError): Collector {
  let open: { type: FrameType; parts: Buffer[]; bytes: number } | undefined;
  return {
    get open() {
      return open !== undefined;
    },
    add(frame, maxBytes) {
      open ??= { type: frame.type, parts: [], bytes: 0 };
      if (open.type !== frame.type) throw refuse("pieces of two messages are mixed", frame);
      open.parts.push(frame.body);
      open.bytes += frame.body.byteLength;
      // A piece costs more memory than its bytes: without this, empty or tiny ones would add up under the limit in bytes.
      if (open.parts.length > FREE_PIECES + open.bytes / MIN_PIECE_BYTES) throw refuse("pieces are too small", frame);
      if (open.bytes > maxBytes) throw refuse("a message is larger than it may be", frame);
      if (!frame.last) return undefined;
      const whole = open.parts.length === 1 ? open.parts[0]! : Buffer.concat(open.parts, open.bytes);
      open = undefined;
      return whole;
    },
  };
}
