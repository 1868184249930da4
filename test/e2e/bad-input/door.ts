/** A way to SQL Server that counts who comes, and that can be shut and opened again at the same port. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface Door {
  readonly port: number;
  /** Connections that came so far. */
  readonly came: number;
  /** Where the connections go to. */
  leadTo(port: number): void;
  shut(): Promise<void>;
  open(): Promise<void>;
}

export async function makeDoor(): Promise<Door> {
  let target = 0;
  let came = 0;
  const sockets = new Set<Socket>();
  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket)).on("error", () => socket.destroy());
    return socket;
  };
  const server = createServer((outside) => {
    came++;
    const inside = keep(connect(target, "127.0.0.1"));
    keep(outside).pipe(inside).pipe(outside);
    outside.on("close", () => inside.destroy());
    inside.on("close", () => outside.destroy());
  });
  const listen = async (port: number) => {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
    return (server.address() as AddressInfo).port;
  };
  const port = await listen(0);
  return {
    port,
    get came() {
      return came;
    },
    leadTo: (to) => {
      target = to;
    },
    shut: async () => {
      if (!server.listening) return;
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
    open: async () => void (await listen(port)),
  };
}
