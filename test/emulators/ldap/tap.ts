/** Between a client and a directory, bytes and no more: keeps what the client says, holds answers back, and cuts. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface Tap {
  readonly port: number;
  /** Connections that a client made, those that have ended too. */
  readonly connections: number;
  /** Every byte that clients sent, one connection's after the other's. */
  readonly said: Buffer;
  /** Lets so many more bytes of answers through and keeps the rest; resolves once it has some to keep. */
  hold(afterBytes: number): Promise<void>;
  /** Lets go of what it keeps, and of all that follows. */
  release(): void;
  /** Resolves once no client is connected. */
  quiet(): Promise<void>;
  close(): Promise<void>;
}

/** @param targetPort on 127.0.0.1. Nobody there is an end at once, as without the tap. */
export async function startTap(targetPort: number): Promise<Tap> {
  const sockets = new Set<Socket>();
  const said: Buffer[][] = [];
  const waiting: (() => void)[] = [];
  let room = Number.POSITIVE_INFINITY;
  let isHolding = (): void => {};

  const serve = (client: Socket): void => {
    const own: Buffer[] = [];
    said.push(own);
    const server = connect({ port: targetPort, host: "127.0.0.1", noDelay: true });
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      sockets.add(one);
      one.setNoDelay(true);
      one.on("error", () => other.destroy());
      one.once("close", () => {
        sockets.delete(one);
        other.destroy();
      });
    }
    client.on("data", (chunk) => {
      own.push(chunk);
      server.write(chunk);
    });
    client.once("end", () => server.end());
    server.once("end", () => client.end());
    const pass = (chunk: Buffer): void => {
      const now = chunk.subarray(0, room);
      room -= now.length;
      if (now.length > 0) client.write(now);
      if (now.length === chunk.length) return;
      // Still read, so that an end behind it is noticed.
      waiting.push(() => pass(chunk.subarray(now.length)));
      isHolding();
    };
    server.on("data", pass);
  };

  const listener = createServer(serve);
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  return {
    port: (listener.address() as AddressInfo).port,
    get connections() {
      return said.length;
    },
    get said() {
      return Buffer.concat(said.flat());
    },
    hold(afterBytes) {
      room = afterBytes;
      return new Promise((resolve) => {
        isHolding = resolve;
      });
    },
    release() {
      room = Number.POSITIVE_INFINITY;
      for (const go of waiting.splice(0)) go();
    },
    async quiet() {
      for (const socket of [...sockets]) if (!socket.closed) await once(socket, "close");
    },
    async close() {
      const closed = once(listener, "close");
      listener.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
