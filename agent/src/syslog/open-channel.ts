/** Opens the way to a syslog server that its target names. */
import { connect, isIP, type Socket } from "node:net";
import { connect as connectTls, type SecureContext } from "node:tls";
import type { Channel } from "./channel.ts";
import type { SyslogTarget } from "./target.ts";
import { openDatagrams } from "./udp.ts";

/**
 * @param trust for `tls`: who is believed
 * @throws Error with the system's code (ECONNREFUSED …) when nobody answers
 */
export async function openChannel(target: SyslogTarget, trust: SecureContext, signal: AbortSignal): Promise<Channel> {
  return target.transport === "udp"
    ? await openDatagrams(target.host, target.port)
    : await openStream(target, trust, signal);
}

type StreamTarget = Exclude<SyslogTarget, { transport: "udp" }>;

async function openStream(target: StreamTarget, trust: SecureContext, signal: AbortSignal): Promise<Channel> {
  const socket = dial(target, trust);
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
  const abort = (): void => void socket.destroy(new Error("given up"));
  signal.addEventListener("abort", abort, { once: true });
  await new Promise<void>((resolve, reject) => {
    socket.once(target.transport === "tls" ? "secureConnect" : "connect", resolve);
    socket.once("error", reject);
    if (signal.aborted) abort();
  }).finally(() => signal.removeEventListener("abort", abort));
  // Each is followed by `close`.
  socket.on("error", () => {});
  socket.on("end", () => socket.destroy());
  // A server has nothing to say here; what is read keeps the socket's end noticed, and goes nowhere.
  socket.resume();
  socket.setKeepAlive(true, 30_000);
  return {
    closed,
    send: (bytes) =>
      new Promise((resolve, reject) => {
        socket.write(bytes, (error) => (error ? reject(error) : resolve()));
      }),
    close: () => socket.destroySoon(),
  };
}

function dial(target: StreamTarget, trust: SecureContext): Socket {
  if (target.transport === "unix") return connect({ path: target.path });
  const { host, port } = target;
  if (target.transport === "tcp") return connect({ host, port });
  return connectTls({
    ...{ host, port, secureContext: trust, rejectUnauthorized: true },
    ...(isIP(host) === 0 ? { servername: host } : {}),
  });
}
