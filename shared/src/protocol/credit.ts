/** Credit-based flow control: both ends of one direction of a session. Counts record bytes. */
import { SallyportError } from "./errors.ts";
import { MAX_WINDOW_BYTES } from "./request.ts";

export interface SendWindow {
  /** Waits until `bytes` may be sent, and takes them. Takers are served in order. */
  take(bytes: number, signal?: AbortSignal): Promise<void>;
  /** @throws protocol.credit when the outstanding credit would exceed 64 MiB. */
  grant(bytes: number): void;
  readonly available: number;
}

/** The sender's end. `initial`: bytes the receiver gave with its request. */
export function createSendWindow(initial: number): SendWindow {
  let available = initial;
  const waiting: { bytes: number; go: () => void }[] = [];
  const serve = () => {
    while (waiting[0] !== undefined && waiting[0].bytes <= available) {
      const next = waiting.shift()!;
      available -= next.bytes;
      next.go();
    }
  };
  return {
    get available() {
      return available;
    },
    take: (bytes, signal) => {
      if (waiting.length === 0 && bytes <= available) {
        available -= bytes;
        return Promise.resolve();
      }
      return new Promise((resolve, reject) => {
        const onAbort = () => {
          waiting.splice(waiting.indexOf(entry), 1);
          reject(signal!.reason);
          serve();
        };
        const entry = {
          bytes,
          go: () => {
            signal?.removeEventListener("abort", onAbort);
            resolve();
          },
        };
        if (signal?.aborted) return reject(signal.reason);
        signal?.addEventListener("abort", onAbort, { once: true });
        waiting.push(entry);
      });
    },
    grant: (bytes) => {
      if (available + bytes > MAX_WINDOW_BYTES) {
        throw new SallyportError("protocol.credit", "More credit was granted than a session may have outstanding.", {
          bytes,
        });
      }
      available += bytes;
      serve();
    },
  };
}

export interface ReceiveWindow {
  /** Counts an arrived record. @throws protocol.credit when the sender had no credit for it. */
  arrived(bytes: number): void;
  /** Notes that the bytes are staged; answers how much to grant now, or 0 while it is not worth a frame. */
  staged(bytes: number): number;
}

/** The receiver's end. Grants are collected to an eighth of the window, so that a credit frame is sent for many records. */
export function createReceiveWindow(windowBytes: number): ReceiveWindow {
  let outstanding = windowBytes;
  let owed = 0;
  return {
    arrived: (bytes) => {
      outstanding -= bytes;
      if (outstanding < 0)
        throw new SallyportError("protocol.credit", "The sender exceeded its credit.", { bytes: -outstanding });
    },
    staged: (bytes) => {
      owed += bytes;
      if (owed < windowBytes / 8) return 0;
      const grant = owed;
      owed = 0;
      outstanding += grant;
      return grant;
    },
  };
}

/** Bounds frames that need no credit: 20 a second over 10 s, any 10 s, is the most a receiver takes. */
export function createFreeFrameGate(): (nowMs: number) => void {
  const MOST = 200;
  const SPAN_MS = 10_000;
  /** When the last 200 came, as a ring. */
  const times = new Float64Array(MOST).fill(Number.NEGATIVE_INFINITY);
  let oldest = 0;
  return (nowMs) => {
    if (nowMs - times[oldest]! < SPAN_MS)
      throw new SallyportError("protocol.order", "The other side sent too many small frames.", {
        seconds: SPAN_MS / 1000,
      });
    times[oldest] = nowMs;
    oldest = (oldest + 1) % MOST;
  };
}
