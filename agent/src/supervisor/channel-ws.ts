/** The control channel on `ws` 8, for whoever would rather not run hyco-ws: `channel: ws` in agent.yaml. */
import { WebSocket } from "ws";
import { networkFault } from "../network-fault.ts";
import { HANDSHAKE_TIMEOUT_MS, type OpenSocket, trackingIdOf } from "./channel.ts";
import { MAX_CONTROL_BYTES } from "./control-message.ts";

export const openWsSocket: OpenSocket = (url, headers, agent, events) => {
  const socket = new WebSocket(url, {
    headers: { ...headers },
    agent,
    perMessageDeflate: false,
    maxPayload: 2 * MAX_CONTROL_BYTES,
    handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    followRedirects: false,
  });
  socket.on("open", () => events.open());
  socket.on("message", (data, isBinary) => {
    events.alive();
    if (!isBinary) events.text(data.toString());
  });
  socket.on("ping", () => events.alive());
  socket.on("pong", () => events.alive());
  socket.on("close", (code, reason) => {
    events.down({ kind: "closed", code, reason: reason.toString("utf8").slice(0, 200) });
  });
  socket.on("error", (error) => events.down({ kind: "failed", ...networkFault(error) }));
  socket.on("unexpected-response", (_request, response) => {
    const status = response.statusCode ?? 0;
    response.destroy();
    events.down({ kind: "refused", status, ...trackingIdOf(response.statusMessage) });
  });
  return {
    send: (text) => {
      socket.send(text, (error) => {
        if (error) events.down({ kind: "failed", why: error.message });
      });
    },
    ping: () => {
      if (socket.readyState === WebSocket.OPEN) socket.ping();
    },
    destroy: () => {
      socket.removeAllListeners();
      socket.on("error", () => {});
      socket.terminate();
    },
  };
};
