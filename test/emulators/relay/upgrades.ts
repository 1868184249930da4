import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import type { RelayCore } from "./core.ts";
import type { HandshakeKind } from "./fault-rules.ts";
import { LIMITS } from "./options.ts";
import { refuse, track } from "./tracking.ts";

/** An HTTP upgrade that is still to be answered. */
export type Handshake = { readonly request: IncomingMessage; readonly socket: Duplex; readonly head: Buffer };

export type Upgrades = {
  /** Answers 101. Undefined when the other side has gone meanwhile. `protocol` is the sub-protocol to name, if one was asked for. */
  complete(handshake: Handshake, use: "control" | "data", protocol?: string): WebSocket | undefined;
};

const KEY = /^[+/0-9A-Za-z]{22}==$/;

export function makeUpgrades(maxMessageBytes: number): Upgrades {
  const choices = new WeakMap<IncomingMessage, string>();
  const common = {
    noServer: true,
    perMessageDeflate: false, // Azure's answer to an offered extension is the listener's; ours never takes one
    clientTracking: false,
    handleProtocols: (_offered: Set<string>, request: IncomingMessage) => choices.get(request) ?? false,
  } as const;
  const servers = {
    control: new WebSocketServer({ ...common, maxPayload: LIMITS.controlMessageBytes }),
    data: new WebSocketServer({ ...common, maxPayload: maxMessageBytes }),
  };
  return {
    complete({ request, socket, head }, use, protocol) {
      if (protocol !== undefined) choices.set(request, protocol);
      let upgraded: WebSocket | undefined;
      servers[use].handleUpgrade(request, socket, head, (webSocket) => {
        upgraded = webSocket;
      });
      // A broken connection ends in "close", which each user handles; without this it would end the process.
      upgraded?.on("error", () => undefined);
      return upgraded;
    },
  };
}

/** Whether this is a WebSocket handshake at all (RFC 6455, 4.2.1): a sender's is answered long after it was read. */
export function isWebSocketHandshake({ method, headers }: IncomingMessage): boolean {
  return (
    method === "GET" &&
    headers.upgrade?.toLowerCase() === "websocket" &&
    KEY.test(headers["sec-websocket-key"] ?? "") &&
    headers["sec-websocket-version"] === "13"
  );
}

/** The sub-protocols offered, in order. */
export function offeredProtocols(request: IncomingMessage): string[] {
  const offered = (request.headers["sec-websocket-protocol"] ?? "").split(",").map((name) => name.trim());
  return offered.filter((name) => name !== "");
}

/** Applies a standing handshake fault. True when there was one and the handshake is dealt with. */
export function breakHandshake(
  core: RelayCore,
  kind: HandshakeKind,
  segments: readonly string[],
  handshake: Handshake,
): boolean {
  const fault = core.faultRules.handshakes.take(segments, ({ on }) => on === undefined || on === kind);
  if (!fault) return false;
  const { request, socket } = handshake;
  switch (fault.do) {
    case "hangBefore101":
      return true;
    case "hangAfter101":
      core.upgrades.complete(handshake, "data", offeredProtocols(request)[0])?.pause();
      return true;
    case "wrongAcceptHash":
      socket.write(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\n\r\n",
      );
      return true;
    case "reset":
      core.reset(socket);
      return true;
    case "status":
      refuse(socket, fault.status ?? 503, track(fault.reason ?? "A fault of the test", segments.join("/")).text);
      return true;
    default:
      fault.do satisfies never;
      return false;
  }
}
