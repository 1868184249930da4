/** A socket to the domain controller, with TLS as the owner's policy wants it: one, within one deadline. */
import { connect as connectPort, isIP, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { ExtendedRequest } from "ldapts";
import { type Connection, createConnection } from "./connection.ts";
import { answerError, connectError } from "./errors.ts";
import type { Deadlines, DirectoryTarget } from "./target.ts";
import { createWire } from "./wire.ts";

/** [RFC 4511 4.14.1] */
const START_TLS = "1.3.6.1.4.1.1466.20037";

/** @throws SallyportError `connection.unreachable`, `connection.tls`, `directory.*`; the signal's reason */
export async function connect(target: DirectoryTarget, deadlines: Deadlines, signal: AbortSignal): Promise<Connection> {
  signal.throwIfAborted();
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), deadlines.connectMs);
  const sockets: Socket[] = [];
  const either = AbortSignal.any([signal, late.signal]);
  const destroy = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  either.addEventListener("abort", destroy, { once: true });
  const facts = { answerMs: deadlines.signInMs };
  try {
    const port = await opened(target, sockets);
    if (target.tls.mode === "sealed") {
      return createConnection({ ...facts, wire: createWire(port), certificate: undefined }, signal);
    }
    const clear = target.tls.mode === "startTls" ? await askForTls(port, deadlines, either) : port;
    const secure = await encrypted(clear, target, sockets);
    const certificate = secure.getPeerCertificate().raw;
    return createConnection({ ...facts, wire: createWire(secure), certificate }, signal);
  } catch (error) {
    destroy();
    signal.throwIfAborted();
    if (late.signal.aborted) throw tooLate(sockets);
    throw error;
  } finally {
    clearTimeout(timer);
    either.removeEventListener("abort", destroy);
  }
}

/** @param sockets those that were made: none but the port's where TLS had not begun */
function tooLate(sockets: readonly Socket[]): SallyportError {
  const isOpen = sockets.length > 1;
  const message = isOpen
    ? "The domain controller did not finish TLS in time: is this a port for it?"
    : "The domain controller does not answer.";
  return new SallyportError(isOpen ? "connection.tls" : "connection.unreachable", message, { reason: "ETIMEDOUT" });
}

function opened({ host, port }: DirectoryTarget, sockets: Socket[]): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectPort({ host, port, noDelay: true, keepAlive: true });
    sockets.push(socket);
    const failed = (error: Error): void => reject(connectError(error, "port"));
    socket.once("connect", () => resolve(socket));
    // For good: under TLS nobody else listens.
    socket.on("error", failed);
    socket.once("close", () => failed(new Error("closed")));
  });
}

function encrypted(socket: Socket, { host, tls }: DirectoryTarget, sockets: Socket[]): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const secure = connectTls({
      // Server names are names, no addresses [RFC 6066 3]; the certificate is held against `host` either way.
      ...{ socket, host, ...(isIP(host) === 0 ? { servername: host } : {}) },
      minVersion: "TLSv1.2",
      ...(tls.caPem === undefined ? {} : { ca: tls.caPem }),
    });
    // Node 24 ends by a fault where the socket below a TLS one is destroyed first.
    sockets.unshift(secure);
    const failed = (error: Error): void => reject(connectError(error, "tls"));
    secure.once("secureConnect", () => resolve(secure));
    secure.on("error", failed);
    secure.once("close", () => failed(new Error("closed")));
  });
}

/** Under no protection, so it says nothing but that TLS is to begin. @throws SallyportError */
async function askForTls(socket: Socket, { signInMs }: Deadlines, signal: AbortSignal): Promise<Socket> {
  const facts = { wire: createWire(socket), certificate: undefined, answerMs: signInMs };
  const connection = createConnection(facts, signal);
  const result = await connection.ask(new ExtendedRequest({ messageId: 0, oid: START_TLS }));
  if (result.code !== 0) throw answerError(result);
  connection.release();
  return socket;
}
