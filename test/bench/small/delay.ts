/** A wire of some length on loopback: whatever enters at one end leaves at the other that much later, in order. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface Wire {
  readonly port: number;
  close(): Promise<void>;
}

/** Takes connections and forwards them to a port of this machine. @param oneWayMs half a round trip */
export async function startWire(port: number, oneWayMs: number): Promise<Wire> {
  const sockets = new Set<Socket>();
  const carry = (from: Socket, to: Socket): void => {
    const later = (act: () => void) => (oneWayMs === 0 ? act() : void setTimeout(act, oneWayMs));
    from.on("data", (piece) => later(() => void to.write(piece)));
    from.on("end", () => later(() => void to.end()));
    from.on("close", () => later(() => void to.destroy()));
  };
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", () => socket.destroy());
      socket.on("close", () => sockets.delete(socket));
    }
    carry(near, far);
    carry(far, near);
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
