/** The packets of one connection as messages; a bulk load's message is read while it comes. */
import { PACKET, type Packet } from "./packets.ts";

export interface Message {
  readonly type: number;
  readonly payload: Buffer;
  readonly reset: boolean;
  readonly ignored: boolean;
}

export interface Inbox {
  /** Takes packets that are no ATTENTION. */
  put(packet: Packet): void;
  end(): void;
  /** The next packet, or null when the connection has ended. */
  packet(): Promise<Packet | null>;
  /** The next message, whole; a bulk message gives its first packet's payload only. */
  message(): Promise<(Message & { readonly last: boolean }) | null>;
}

const MOST_WAITING = 256;
/** No request of a client of ours is larger. */
const MOST_BYTES = 256 * 1024 * 1024;

export function createInbox(pause: () => void, resume: () => void): Inbox {
  const waiting: Packet[] = [];
  let ended = false;
  let wake: (() => void) | null = null;
  const packet = async (): Promise<Packet | null> => {
    while (waiting.length === 0) {
      if (ended) return null;
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    const next = waiting.shift() ?? null;
    if (waiting.length === MOST_WAITING / 2) resume();
    return next;
  };
  return {
    put(next) {
      waiting.push(next);
      if (waiting.length >= MOST_WAITING) pause();
      wake?.();
    },
    end() {
      ended = true;
      wake?.();
    },
    packet,
    async message() {
      const parts: Buffer[] = [];
      let bytes = 0;
      for (;;) {
        const next = await packet();
        if (next === null) return null;
        parts.push(next.payload);
        bytes += next.payload.length;
        if (bytes > MOST_BYTES) throw new RangeError(`a message of more than ${MOST_BYTES} bytes`);
        const { type, reset, last, ignore: ignored } = next;
        if (last || type === PACKET.bulk) return { type, payload: Buffer.concat(parts), reset, ignored, last };
      }
    },
  };
}
