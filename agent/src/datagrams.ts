/**
 * UDP, where something speaks nothing else. The only sockets of the agent that are bound to a port: each is connected before
 * its first use, so that the kernel takes nothing from anybody but that one address and port.
 */
import { createSocket, type Socket } from "node:dgram";
import type { LookupAddress } from "node:dns";

/** A socket that sends to one address and hears that one only. @throws Error with the system's code. */
export async function connectDatagrams({ address, family }: LookupAddress, port: number): Promise<Socket> {
  const socket = createSocket(family === 6 ? "udp6" : "udp4");
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    socket.connect(port, address, () => {
      socket.off("error", reject);
      resolve();
    });
  });
  return socket;
}
