import type { EventEmitter } from "node:events";

export type IdleWatch = { moved(): void; stop(): void };

/**
 * Azure's load balancer forgets a connection on which nothing has moved for about four minutes. Neither end hears of it: what a client
 * sends later is swallowed. A ping either way counts as movement.
 *
 * Calls `abandoned` once that has happened; the caller says with `moved` when it sent something.
 */
export function abandonWhenIdle(webSocket: EventEmitter, idleMs: number, abandoned: () => void): IdleWatch {
  const end = () => {
    stop();
    abandoned();
  };
  let timer: NodeJS.Timeout | undefined = setTimeout(end, idleMs);
  const moved = () => {
    if (timer === undefined) return;
    clearTimeout(timer);
    timer = setTimeout(end, idleMs);
  };
  const events = ["message", "ping", "pong"] as const;
  for (const event of events) webSocket.on(event, moved);
  const stop = () => {
    clearTimeout(timer);
    timer = undefined;
    for (const event of events) webSocket.off(event, moved);
  };
  return { moved, stop };
}
