/** Datagrams to a syslog server (RFC 5426). What it sends is not read. */
import { lookup } from "node:dns/promises";
import { connectDatagrams } from "../datagrams.ts";
import type { Channel } from "./channel.ts";

/** @throws Error with the resolver's code */
export async function openDatagrams(host: string, port: number): Promise<Channel> {
  const socket = await connectDatagrams(await lookup(host), port);
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  let open = true;
  const close = (): void => {
    if (open) socket.close();
    open = false;
  };
  // ICMP's "nobody there" for an earlier datagram.
  socket.on("error", close);
  return {
    closed,
    send: (bytes) =>
      new Promise((resolve, reject) => {
        if (!open) reject(new Error("nobody listens there"));
        else socket.send(bytes, (error) => (error ? reject(error) : resolve()));
      }),
    close,
  };
}
