/** TDS packets [MS-TDS 2.2.3]: an 8-byte header, then payload; a message is one or more packets of one type. */

export const HEADER_BYTES = 8;
export const PACKET = {
  batch: 0x01,
  rpc: 0x03,
  response: 0x04,
  attention: 0x06,
  bulk: 0x07,
  transaction: 0x0e,
  login7: 0x10,
  sspi: 0x11,
  prelogin: 0x12,
} as const;

const END_OF_MESSAGE = 0x01;
const IGNORE = 0x02;
const RESET = 0x08;
const RESET_KEEPING_TRANSACTION = 0x10;

export interface Packet {
  readonly type: number;
  readonly payload: Buffer;
  readonly last: boolean;
  /** The client gave the message up while sending it. */
  readonly ignore: boolean;
  /** The session is to be as new before this request runs. */
  readonly reset: boolean;
}

/** Takes bytes as they come; gives the packets that are whole. Throws RangeError for a length that cannot be. */
export function packetReader(): (chunk: Buffer) => Packet[] {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const packets: Packet[] = [];
    let at = 0;
    while (rest.length - at >= HEADER_BYTES) {
      const length = rest.readUInt16BE(at + 2);
      if (length < HEADER_BYTES) throw new RangeError(`a packet of ${length} bytes`);
      if (rest.length - at < length) break;
      const status = rest.readUInt8(at + 1);
      packets.push({
        type: rest.readUInt8(at),
        payload: rest.subarray(at + HEADER_BYTES, at + length),
        last: (status & END_OF_MESSAGE) !== 0,
        ignore: (status & IGNORE) !== 0,
        reset: (status & (RESET | RESET_KEEPING_TRANSACTION)) !== 0,
      });
      at += length;
    }
    rest = rest.subarray(at);
    return packets;
  };
}

/**
 * Cuts payload into packets of `packetBytes`. Without `end` only full packets are made and at least one byte is kept,
 * so that the last packet of the message is never empty.
 */
export function cutPackets(
  type: number,
  payload: Buffer,
  packetBytes: number,
  end: boolean,
): { readonly packets: Buffer; readonly used: number } {
  const room = packetBytes - HEADER_BYTES;
  const full = Math.max(0, Math.ceil(payload.length / room) - 1);
  const count = end ? full + 1 : full;
  const used = end ? payload.length : full * room;
  const packets = Buffer.allocUnsafe(used + count * HEADER_BYTES);
  for (let n = 0, from = 0, at = 0; n < count; n++) {
    const size = Math.min(room, used - from);
    packets[at] = type;
    packets[at + 1] = end && n === count - 1 ? END_OF_MESSAGE : 0;
    packets.writeUInt16BE(size + HEADER_BYTES, at + 2);
    packets.writeUInt16BE(0, at + 4);
    packets[at + 6] = n & 0xff;
    packets[at + 7] = 0;
    payload.copy(packets, at + HEADER_BYTES, from, from + size);
    from += size;
    at += size + HEADER_BYTES;
  }
  return { packets, used };
}
