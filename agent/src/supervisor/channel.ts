/**
 * The relay's control channel, whichever library opens it. An implementation opens one socket once; handshake time-out,
 * pings and the end are ours and the same for both.
 */
import type { Agent } from "node:https";
import type { Clock } from "../clock.ts";
import type { NetworkCode } from "../network-fault.ts";
import { createAgent, type Network } from "../origin.ts";

export const HANDSHAKE_TIMEOUT_MS = 20_000;
const PING_EVERY_MS = 30_000;
/** With the ping interval: a dead socket is noticed within 40 s. */
const PONG_WITHIN_MS = 10_000;

/** Why a channel ended or never opened. */
export type Down =
  | { readonly kind: "refused"; readonly status: number; readonly trackingId?: string }
  | { readonly kind: "closed"; readonly code: number; readonly reason: string }
  | { readonly kind: "failed"; readonly why: string; readonly code?: NetworkCode };

export interface SocketEvents {
  open(): void;
  text(text: string): void;
  /** Anything that shows that the other end lives. */
  alive(): void;
  down(why: Down): void;
}

/** One socket, as an implementation gives it. */
export interface ControlSocket {
  send(text: string): void;
  ping(): void;
  /** Frees everything at once; no event comes after it. */
  destroy(): void;
}

/** Begins to connect; answers at once and reports by events. */
export type OpenSocket = (
  url: string,
  headers: Readonly<Record<string, string>>,
  agent: Agent,
  events: SocketEvents,
) => ControlSocket;

export interface ControlChannel {
  /** Settles with true when the channel is open, with false when it ended before. */
  readonly opened: Promise<boolean>;
  readonly down: Promise<Down>;
  send(text: string): void;
  close(): void;
}

/** Connects as a listener and keeps the channel until it is down. Source: `relay-hybrid-connections-protocol.md`. */
export function openChannel(
  open: OpenSocket,
  target: { readonly listenUrl: string; readonly token: string; readonly network: Network },
  onText: (text: string) => void,
  clock: Clock,
): ControlChannel {
  const opened = Promise.withResolvers<boolean>();
  const ended = Promise.withResolvers<Down>();
  const stop = new AbortController();
  const agent = createAgent(target.network, HANDSHAKE_TIMEOUT_MS);
  let lastAliveMs = clock.monotonicMs();
  let isDown = false;

  const down = (why: Down): void => {
    if (isDown) return;
    isDown = true;
    stop.abort();
    socket?.destroy();
    agent.destroy();
    opened.resolve(false);
    ended.resolve(why);
  };

  const after = (ms: number, act: () => void): void => {
    clock.sleep(ms, stop.signal).then(act, () => {});
  };

  const ping = (): void => {
    const sentMs = clock.monotonicMs();
    socket?.ping();
    after(PONG_WITHIN_MS, () => {
      if (lastAliveMs < sentMs) down({ kind: "failed", why: "no pong within 10 s" });
      else after(PING_EVERY_MS - PONG_WITHIN_MS, ping);
    });
  };

  let socket: ControlSocket | undefined;
  after(HANDSHAKE_TIMEOUT_MS, () => {
    if (!isOpen) down({ kind: "failed", why: "no handshake within 20 s" });
  });
  let isOpen = false;
  try {
    socket = open(target.listenUrl, { ServiceBusAuthorization: target.token }, agent, {
      open() {
        if (isDown) return;
        isOpen = true;
        opened.resolve(true);
        after(PING_EVERY_MS, ping);
      },
      text(text) {
        lastAliveMs = clock.monotonicMs();
        if (!isDown) onText(text);
      },
      alive() {
        lastAliveMs = clock.monotonicMs();
      },
      down,
    });
    if (isDown) socket.destroy();
  } catch (error) {
    down({ kind: "failed", why: (error as Error).message });
  }

  return {
    opened: opened.promise,
    down: ended.promise,
    send: (text) => {
      if (isOpen && !isDown) socket?.send(text);
    },
    close: () => down({ kind: "closed", code: 1000, reason: "closed by us" }),
  };
}

/** The relay names its side of a failure by a tracking id in the reason phrase: what Azure's support asks for. */
export function trackingIdOf(reasonPhrase: string | undefined): { trackingId?: string } {
  const match = /TrackingId:([A-Za-z0-9_-]{1,80})/.exec(reasonPhrase ?? "");
  return match?.[1] === undefined ? {} : { trackingId: match[1] };
}
