/**
 * Datagrams to one address (RFC 5426). The only socket of the agent that is bound to a port: it is connected before its
 * first use, so that the kernel takes nothing from anybody else, and what that one sends is not read.
 */
import { createSocket } from "node:dgram";
import { lookup } from "node:dns/promises";
import type { Channel } from "./channel.ts";

/** @throws Error with the resolver's code */
export async function openDatagrams(host: string, port: number): Promise<Channel> {
  const { address, family } = await lookup(host);
  const socket = createSocket(family === 6 ? "udp6" : "udp4");
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    socket.connect(port, address, resolve);
  });
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
