/**
 * UDP, where something speaks nothing else. The only sockets of the agent that are bound to a port: each is connected before
 * its first use, so that the kernel takes nothing from anybody but that one address and port.
 */
import { createSocket, type Socket } from "node:dgram";
import type { LookupAddress } from "node:dns";

/** A socket that sends to one address and hears that one only. @throws Error with the system's code. */
export async function connectDatagrams({ address, family }: LookupAddress, port: number): Promise<Socket> {
  const socket = createSocket(family === 6 ? "udp6" : "udp4");
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once("error", reject);
      // Where there is no way to the address it is this callback that hears of it [node:dgram, doConnect], and no event comes.
      socket.connect(port, address, (error?: Error) => {
        socket.off("error", reject);
        if (error) reject(error);
        else resolve();
      });
    });
  } catch (error) {
    socket.close();
    throw error;
  }
  return socket;
}
