/**
 * A tunnel through an HTTP proxy (RFC 9110 section 9.3.6), and TLS through it to whoever is meant. Node's own keeps all that
 * a proxy says and listens once more for each piece of it: an answer of fifty bytes, sent one by one, was measured to take
 * 1.6 GB. Whoever stands between this machine and its proxy could so end the agent.
 */
import type { AgentOptions } from "node:https";
import { connect, isIP, type Socket } from "node:net";
import { type ConnectionOptions, connect as connectTls } from "node:tls";

/** Of a proxy's answer to CONNECT: a status line and a few fields. */
const MAX_ANSWER_BYTES = 16 * 1024;
const END = Buffer.from("\r\n\r\n");

/** `http://[user:password@]host[:port]`, with percent-encoding in user and password. */
export type ProxyAddress = string;

type Done = (error: Error | null, socket: Socket) => void;

/**
 * What an https.Agent calls for a connection, by way of the proxy. Errors of the tunnel have the code `ERR_PROXY_TUNNEL`,
 * as Node's own, and the proxy's status where it gave one.
 * @param open the sockets to the proxy that are open; whoever destroys the agent ends them
 * @param timeoutMs for the proxy's whole answer
 */
export function connectThrough(proxy: ProxyAddress, open: Set<Socket>, timeoutMs: number) {
  return (options: AgentOptions & ConnectionOptions, done?: Done): undefined => {
    const { host = "", port = 443 } = options;
    const socket = openTunnel(
      new URL(proxy),
      `${isIP(host) === 6 ? `[${host}]` : host}:${port}`,
      timeoutMs,
      (error) => {
        if (error !== undefined) return done?.(error, socket);
        const secure = connectTls({ ...(isIP(host) === 0 ? { servername: host } : {}), ...options, socket });
        const fail = (thrown: Error): void => done?.(thrown, secure);
        secure.once("error", fail);
        secure.once("secureConnect", () => {
          secure.off("error", fail);
          done?.(null, secure);
        });
      },
    );
    open.add(socket);
    socket.once("close", () => open.delete(socket));
  };
}

/** Tells once how it went; the socket then carries the tunnel and nothing of the proxy's, or is destroyed. */
function openTunnel(proxy: URL, target: string, timeoutMs: number, told: (error?: Error) => void): Socket {
  const socket = connect({ host: proxy.hostname.replace(/^\[|\]$/g, ""), port: Number(proxy.port || 80) });
  const answer = Buffer.alloc(MAX_ANSWER_BYTES);
  let bytes = 0;
  const settle = (error?: Error): void => {
    clearTimeout(timer);
    socket.off("data", onData).off("end", onEnd).off("error", settle).off("close", onEnd);
    if (error === undefined) socket.pause();
    else {
      socket.on("error", () => {});
      socket.destroy();
    }
    told(error);
  };
  const onEnd = (): void => settle(fault("The proxy ended the connection."));
  const onData = (piece: Buffer) => {
    if (bytes + piece.byteLength > MAX_ANSWER_BYTES) return settle(fault("The proxy's answer is too long."));
    // The end may have begun in the piece before.
    const from = Math.max(0, bytes - END.byteLength);
    bytes += piece.copy(answer, bytes);
    const end = answer.subarray(0, bytes).indexOf(END, from);
    if (end !== -1) settle(faultOf(answer.toString("latin1", 0, end), bytes - end - END.byteLength));
  };
  const timer = setTimeout(() => settle(fault("The proxy's answer timed out.")), timeoutMs);
  socket.on("data", onData).on("end", onEnd).on("error", settle).on("close", onEnd);
  socket.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n${loginOf(proxy)}\r\n`);
  return socket;
}

/** Basic (RFC 7617). */
function loginOf({ username, password }: URL): string {
  if (username === "" && password === "") return "";
  const login = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return `Proxy-Authorization: Basic ${Buffer.from(login).toString("base64")}\r\n`;
}

/** @param more bytes behind the answer: the other end of a tunnel does not speak first. */
function faultOf(head: string, more: number): Error | undefined {
  const status = /^HTTP\/1\.[01] ([0-9]{3})(?: |\r|$)/.exec(head)?.[1];
  if (status === "200" && more === 0) return undefined;
  return fault("The proxy opened no tunnel.", status === undefined || status === "200" ? undefined : Number(status));
}

const fault = (message: string, statusCode?: number): Error =>
  Object.assign(new Error(message), { code: "ERR_PROXY_TUNNEL" }, statusCode === undefined ? {} : { statusCode });
