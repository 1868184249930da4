/**
 * TLS inside TDS [MS-TDS 2.2.6.5]: the handshake's records travel in PRELOGIN packets both ways, each flight as one
 * message; from the first bare record on, the rest is plain TLS.
 */
import { constants } from "node:crypto";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { createSecureContext, TLSSocket } from "node:tls";
import { cutPackets, PACKET, packetReader } from "./packets.ts";

export interface Certificate {
  readonly key: string;
  readonly cert: string;
}

const HANDSHAKE_PACKET_BYTES = 4096;

/** A server-side TLS socket over `socket`; `first` is what was read from it already. */
export function tlsInsideTds(socket: Socket, certificate: Certificate, first: Buffer): TLSSocket {
  // A session ticket would be one more message than the client waits for.
  const secureContext = createSecureContext({
    ...certificate,
    maxVersion: "TLSv1.2",
    secureOptions: constants.SSL_OP_NO_TICKET,
  });
  return new TLSSocket(recordStream(socket, first, true), { isServer: true, secureContext });
}

/** TDS 8: TLS before anything else, with ALPN `tds/8.0`. */
export function tlsFirst(socket: Socket, certificate: Certificate, first: Buffer): TLSSocket {
  const secureContext = createSecureContext({ ...certificate });
  return new TLSSocket(recordStream(socket, first, false), {
    isServer: true,
    secureContext,
    ALPNProtocols: ["tds/8.0"],
  });
}

function recordStream(socket: Socket, first: Buffer, wrapped: boolean): Duplex {
  let inPackets = wrapped;
  let flight: Buffer[] = [];
  const read = packetReader();
  let whole = true;
  const stream = new Duplex({
    read: () => void socket.resume(),
    write(chunk: Buffer, _encoding, done) {
      if (!inPackets) {
        socket.write(chunk, () => done());
        return;
      }
      // Records of one flight are written one by one, but in one turn of the event loop.
      if (flight.length === 0) setImmediate(sendFlight);
      flight.push(chunk);
      done();
    },
    final: (done) => void socket.end(() => done()),
    destroy(error, done) {
      socket.destroy();
      done(error);
    },
  });
  const sendFlight = (): void => {
    const payload = Buffer.concat(flight);
    flight = [];
    if (socket.writable) socket.write(cutPackets(PACKET.prelogin, payload, HANDSHAKE_PACKET_BYTES, true).packets);
  };
  const onData = (chunk: Buffer): void => {
    if (inPackets && whole && chunk[0] !== PACKET.prelogin) inPackets = false;
    if (!inPackets) {
      if (!stream.push(chunk)) socket.pause();
      return;
    }
    try {
      for (const packet of read(chunk)) {
        whole = packet.last;
        stream.push(packet.payload);
      }
    } catch (error) {
      stream.destroy(error as Error);
    }
  };
  if (first.length > 0) onData(first);
  socket.on("data", onData);
  socket.on("end", () => stream.push(null));
  socket.on("error", (error) => stream.destroy(error));
  socket.on("close", () => stream.destroy());
  return stream;
}
