/** Datagrams to a syslog server (RFC 5426). What it sends is not read. */
import type { LookupAddress } from "node:dns";
import { lookup } from "node:dns/promises";
import { connectDatagrams } from "../datagrams.ts";
import type { Channel } from "./channel.ts";

/** After that the name is looked up again: a server that has moved takes nothing where it was, and nobody says so. */
const SAME_ADDRESS_MS = 5 * 60_000;

interface System {
  lookup(host: string): Promise<LookupAddress>;
  monotonicMs(): number;
}

const thisSystem: System = { lookup, monotonicMs: () => performance.now() };

/** @throws Error with the resolver's code */
export async function openDatagrams(host: string, port: number, system: System = thisSystem): Promise<Channel> {
  const openedMs = system.monotonicMs();
  const socket = await connectDatagrams(await system.lookup(host), port);
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  let open = true;
  const close = (): void => {
    if (open) socket.close();
    open = false;
  };
  // ICMP's "nobody there" for an earlier datagram.
  socket.on("error", close);
  const send = (bytes: Buffer): Promise<void> =>
    new Promise((resolve, reject) => {
      if (!open) reject(new Error("nobody listens there"));
      else socket.send(bytes, (error) => (error ? reject(error) : resolve()));
    });
  return {
    closed,
    async send(bytes) {
      await send(bytes);
      if (system.monotonicMs() - openedMs < SAME_ADDRESS_MS) return;
      close();
      await closed;
    },
    close,
  };
}
