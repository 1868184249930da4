/** The executor's end of the rendezvous: one WebSocket to the relay's gateway. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import { MAX_MESSAGE_BYTES, WEBSOCKET_PROTOCOL } from "@sallyport/shared/protocol/records.ts";
import { WebSocket } from "ws";
import { createAgent, type Network } from "../origin.ts";

const HANDSHAKE_TIMEOUT_MS = 20_000;

export interface Rendezvous {
  send(record: Uint8Array): void;
  /** The next message; what comes before anyone asks waits in the socket. A text message arrives as `text`. */
  onMessage(listener: (message: Uint8Array | "text") => void): void;
  /** Settles when the socket has ended, however. */
  readonly closed: Promise<void>;
  /** Sends what is queued, closes with this code and waits for the end, at most 5 s. */
  close(code: number): Promise<void>;
}

const CLOSE_WITHIN_MS = 5_000;

/** Dials the address as it is. @throws protocol.truncated when no WebSocket came of it. */
export async function dialRendezvous(address: string, network: Network): Promise<Rendezvous> {
  const agent = createAgent(network, HANDSHAKE_TIMEOUT_MS);
  const socket = new WebSocket(address, WEBSOCKET_PROTOCOL, {
    agent,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    maxPayload: MAX_MESSAGE_BYTES,
    perMessageDeflate: false,
    followRedirects: false,
  });
  const closed = Promise.withResolvers<void>();
  const opened = Promise.withResolvers<void>();
  socket.once("open", () => {
    // The request may arrive with the handshake; it waits until somebody listens.
    socket.pause();
    opened.resolve();
  });
  socket.on("error", () => opened.reject(unreachable()));
  socket.on("close", () => {
    opened.reject(unreachable());
    agent.destroy();
    closed.resolve();
  });
  await opened.promise;
  return {
    send: (record) => socket.send(record, { binary: true }, () => {}),
    onMessage(listener) {
      socket.on("message", (data: Buffer, isBinary) => listener(isBinary ? data : "text"));
      socket.resume();
    },
    closed: closed.promise,
    async close(code) {
      socket.resume();
      socket.close(code);
      const timer = setTimeout(() => socket.terminate(), CLOSE_WITHIN_MS);
      await closed.promise;
      clearTimeout(timer);
    },
  };
}

const unreachable = (): SallyportError =>
  new SallyportError("protocol.truncated", "The rendezvous could not be reached, or ended before the hello.");
