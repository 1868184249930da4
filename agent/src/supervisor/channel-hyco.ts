/**
 * The control channel on hyco-ws, which is Microsoft's own and dangerous as it comes: one message from anyone with the
 * Send right ends a stock listener. Only its WebSocket class is used, one object an attempt, and this is the only file
 * that imports it. Each rule below is there because its absence was seen to end or to bloat a process.
 */
import type { IncomingMessage } from "node:http";
import HycoWebSocket from "hyco-ws";
import { networkFault } from "../network-fault.ts";
import { type OpenSocket, trackingIdOf } from "./channel.ts";
import { MAX_CONTROL_BYTES } from "./control-message.ts";

/** Of a server's ping or pong: its payload has at most 125 bytes (RFC 6455 section 5.2). */
const CONTROL_FRAME_HEADER_BYTES = 2;

export const openHycoSocket: OpenSocket = (url, headers, agent, events) => {
  // `.on` in the same tick, never `onerror` or `addEventListener`: those throw when an error is a string.
  const socket = new HycoWebSocket(url, null, { headers: { ...headers }, perMessageDeflate: false, agent });
  // It takes a message of any size into memory, so bytes are counted below it and a flood ends the socket. Only a whole
  // message frees what is held: a ping between two fragments frees nothing, so it takes back no more than its own bytes.
  let heldBytes = 0;
  const onControlFrame = (data: unknown): void => {
    heldBytes -= CONTROL_FRAME_HEADER_BYTES + (Buffer.isBuffer(data) ? data.byteLength : 0);
    events.alive();
  };
  socket.on("open", () => {
    socket._socket?.on("data", (chunk: Buffer) => {
      heldBytes += chunk.byteLength;
      if (heldBytes > 2 * MAX_CONTROL_BYTES) events.down({ kind: "failed", why: "a control message is too large" });
    });
    events.open();
  });
  socket.on("message", (data: unknown, flags?: { binary?: boolean }) => {
    heldBytes = 0;
    events.alive();
    if (typeof data === "string" && flags?.binary !== true) events.text(data);
  });
  socket.on("ping", onControlFrame);
  socket.on("pong", onControlFrame);
  socket.on("close", (code: number, reason: unknown) => {
    events.down({ kind: "closed", code, reason: String(reason ?? "").slice(0, 200) });
  });
  socket.on("error", (error: unknown) => events.down({ kind: "failed", ...networkFault(error) }));
  socket.on("unexpected-response", (_request: unknown, response: IncomingMessage) => {
    const status = response.statusCode ?? 0;
    response.destroy();
    events.down({ kind: "refused", status, ...trackingIdOf(response.statusMessage) });
  });
  return {
    send: (text) => {
      socket.send(text, (error) => {
        if (error !== undefined && error !== null) events.down({ kind: "failed", why: error.message });
      });
    },
    ping: () => socket.ping("", {}, true),
    destroy: () => {
      socket.removeAllListeners();
      socket.on("error", () => {});
      // `terminate()` while connecting leaks the socket; the agent, destroyed by our caller, ends that one.
      socket._socket?.destroy();
      socket.terminate();
    },
  };
};
