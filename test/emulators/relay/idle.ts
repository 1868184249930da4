import type { WebSocket } from "ws";

export type IdleWatch = { moved(): void; stop(): void };

/**
 * Azure's load balancer forgets a connection on which nothing has moved for about four minutes. Neither end hears of it: what a client
 * sends later is swallowed. A ping either way counts as movement.
 *
 * Calls `abandoned` once that has happened; the caller says with `moved` when it sent something.
 */
export function abandonWhenIdle(webSocket: WebSocket, idleMs: number, abandoned: () => void): IdleWatch {
  let watching = true;
  const timer = setTimeout(() => {
    stop();
    webSocket.pause();
    abandoned();
  }, idleMs);
  const moved = () => {
    if (watching) timer.refresh();
  };
  const events = ["message", "ping", "pong"] as const;
  for (const event of events) webSocket.on(event, moved);
  const stop = () => {
    watching = false;
    clearTimeout(timer);
    for (const event of events) webSocket.off(event, moved);
  };
  return { moved, stop };
}
