/** A name of one's own in front of the app: a port that passes bytes on to wherever the app turns out to be. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";

export interface Door {
  readonly origin: string;
  leadTo(url: string): void;
  close(): Promise<void>;
}

/** TLS goes through untouched: the app has the certificate for the name. */
export async function openDoor(): Promise<Door> {
  const sockets = new Set<Socket>();
  let port: number | undefined;
  const server = createServer((outside) => {
    if (port === undefined) return void outside.destroy();
    const inside = connect(port, "127.0.0.1");
    for (const [one, other] of [
      [outside, inside],
      [inside, outside],
    ] as const) {
      sockets.add(one);
      one.on("error", () => other.destroy()).on("close", () => sockets.delete(one));
      one.pipe(other);
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    origin: `https://localhost:${(server.address() as AddressInfo).port}`,
    leadTo: (url) => {
      port = Number(new URL(url).port);
    },
    async close() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
