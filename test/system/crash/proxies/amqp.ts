/** Before the queue: plain AMQP 1.0, cut into frames. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import type { Gate } from "../gate.ts";
import { amqpFrame } from "../seen.ts";
import type { OpenProxy } from "./http.ts";
import { type Cut, join } from "./stream.ts";

/** "AMQP", a protocol id, and a version. */
const HEADER_BYTES = 8;
/** A frame without a body: a heartbeat. */
const EMPTY_FRAME = Buffer.from([0, 0, 0, 8, 2, 0, 0, 0]);

export async function openAmqpProxy(targetPort: number, gate: Gate): Promise<OpenProxy> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(targetPort, "127.0.0.1");
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.setNoDelay(true).once("close", () => sockets.delete(socket));
    }
    void join({ client, server: upstream, cut: cutFrame, isIdle: (bytes) => bytes.equals(EMPTY_FRAME) }, gate);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

const cutFrame: Cut = (bytes) => {
  if (bytes.length < HEADER_BYTES) return undefined;
  if (bytes.toString("latin1", 0, 4) === "AMQP") return { length: HEADER_BYTES };
  const length = bytes.readUInt32BE(0);
  if (bytes.length < length) return undefined;
  return { length, seen: amqpFrame(bytes.subarray(0, length)) };
};
