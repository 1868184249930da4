import type { WebSocket } from "ws";
import type { LinkFault } from "./fault-rules.ts";

/** One direction of a session: messages from one socket to the other, in order, never more on their way than the high-water mark. */

export type Message = { readonly data: Buffer; readonly binary: boolean };

export type Lane = {
  offer(message: Message): void;
  /** Resolves when nothing is on its way any more, or after `withinMs`. */
  drained(withinMs: number): Promise<void>;
  /** Takes no more messages and reads on to find the source's close frame. */
  finish(): void;
};

export type LaneOptions = {
  readonly from: WebSocket;
  readonly to: WebSocket;
  readonly highWaterBytes: number;
  /** The link faults that apply now. */
  readonly link: () => readonly LinkFault[];
  /** Told how many bytes more, or fewer, the lane holds. */
  readonly held: (deltaBytes: number) => void;
  readonly sent: (message: Message) => void;
};

const RECHECK_MS = 10; // how soon a stopped link notices that its fault was taken away

export function makeLane({ from, to, highWaterBytes, link, held, sent }: LaneOptions): Lane {
  const queue: { message: Message; arrivedMs: number }[] = [];
  const waiters = new Set<() => void>();
  let heldBytes = 0;
  let freeAtMs = 0;
  let timer: NodeJS.Timeout | undefined;
  let finished = false;

  function hold(deltaBytes: number) {
    heldBytes += deltaBytes;
    held(deltaBytes);
    if (heldBytes > highWaterBytes && !finished) from.pause();
    else if (from.isPaused && heldBytes <= highWaterBytes / 2) from.resume();
    if (heldBytes === 0) for (const resolve of waiters) resolve();
  }

  function transmit(message: Message, faults: readonly LinkFault[]) {
    sent(message);
    const { data, binary } = message;
    const arrived = () => hold(-size(message));
    const fragmentBytes = faults.find((fault) => fault.fragmentBytes !== undefined)?.fragmentBytes;
    if (fragmentBytes === undefined || data.length <= fragmentBytes) return to.send(data, { binary }, arrived);
    const pings = faults.some((fault) => fault.pings);
    for (let at = 0; at < data.length; at += fragmentBytes) {
      const fin = at + fragmentBytes >= data.length;
      to.send(data.subarray(at, at + fragmentBytes), { binary, fin }, fin ? arrived : undefined);
      if (pings && !fin) to.ping(undefined, undefined, () => undefined);
    }
  }

  /** Sends what is due, and comes back for the rest. */
  function pump() {
    timer = undefined;
    for (let next = queue[0]; next !== undefined; next = queue[0]) {
      const faults = link();
      const passedMs = passingTime(next, faults);
      if (passedMs === undefined) return again(RECHECK_MS);
      const latencyMs = faults.reduce((sum, fault) => sum + (fault.latencyMs ?? 0), 0);
      const waitMs = passedMs + latencyMs - performance.now();
      if (waitMs > 0) return again(waitMs);
      freeAtMs = passedMs;
      queue.shift();
      transmit(next.message, faults);
    }
  }

  function again(waitMs: number) {
    timer = setTimeout(pump, waitMs);
  }

  /** When the last bit of a message has gone into a link of limited speed; undefined while the link stands still. */
  function passingTime({ message, arrivedMs }: { message: Message; arrivedMs: number }, faults: readonly LinkFault[]) {
    const rates = faults.map((fault) => fault.bytesPerSecond ?? Number.POSITIVE_INFINITY);
    const slowest = Math.min(Number.POSITIVE_INFINITY, ...rates);
    if (slowest <= 0) return undefined;
    return Math.max(arrivedMs, freeAtMs) + (size(message) / slowest) * 1000;
  }

  return {
    offer(message) {
      if (finished) return;
      hold(size(message));
      queue.push({ message, arrivedMs: performance.now() });
      if (timer === undefined) pump();
    },
    drained(withinMs) {
      if (heldBytes === 0) return Promise.resolve();
      const { promise, resolve } = Promise.withResolvers<void>();
      waiters.add(resolve);
      const patience = setTimeout(resolve, withinMs);
      return promise.finally(() => {
        clearTimeout(patience);
        waiters.delete(resolve);
      });
    },
    finish() {
      finished = true;
      clearTimeout(timer);
      const left = queue.splice(0).reduce((sum, { message }) => sum + size(message), 0);
      if (left > 0) hold(-left);
      from.resume();
    },
  };
}

/** An empty message counts one byte: it too is held until it is sent. */
function size({ data }: Message): number {
  return Math.max(1, data.length);
}
