/** What one session may take, enforced while rows stream: a meter, and fuses for its time and its memory. */
import { getHeapStatistics } from "node:v8";
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { Limits } from "@sallyport/shared/schema/operations.ts";

/** Counts what leaves. `take` comes before the rows do, so nothing above the limit is ever sent. */
export interface Meter {
  readonly rows: number;
  readonly bytes: number;
  /** @throws SallyportError `limit.rows` or `limit.bytes`. */
  take(rows: number, bytes: number): void;
}

export function createMeter(limits: Pick<Limits, "rows" | "bytes">): Meter {
  const taken = { rows: 0, bytes: 0 };
  return {
    get rows() {
      return taken.rows;
    },
    get bytes() {
      return taken.bytes;
    },
    take(rows, bytes) {
      if (taken.rows + rows > limits.rows) {
        throw new SallyportError("limit.rows", `The result has more than the ${limits.rows} rows allowed.`, {
          rows: limits.rows,
        });
      }
      if (taken.bytes + bytes > limits.bytes) {
        throw new SallyportError("limit.bytes", `The result has more than the ${limits.bytes} bytes allowed.`, {
          bytes: limits.bytes,
        });
      }
      taken.rows += rows;
      taken.bytes += bytes;
    },
  };
}

/** A fuse for the whole session: after `limits.seconds` its signal aborts with `limit.time`. Always `clear` it. */
export function createTimeFuse(limits: Pick<Limits, "seconds">): { readonly signal: AbortSignal; clear(): void } {
  const controller = new AbortController();
  const timer = setTimeout(() => {
    const { seconds } = limits;
    controller.abort(new SallyportError("limit.time", `The session took the ${seconds} seconds allowed.`, { seconds }));
  }, limits.seconds * 1000);
  return { signal: controller.signal, clear: () => clearTimeout(timer) };
}

const LOOK_EVERY_MS = 50;
/** Of the limit: what is left has to last for closing the source and saying why. */
const ENOUGH = 0.9;

/** What a process holds: `bytes` of `mostBytes`, for its whole memory and for V8's heap. */
export type ReadMemory = () => readonly { readonly bytes: number; readonly mostBytes: number }[];

/**
 * A fuse for a session's memory: its signal aborts with `limit.memory` shortly before the supervisor, or V8, would kill the
 * process without a word. Growth within one turn of the event loop is too fast for it. Always `clear` it.
 */
export function createMemoryFuse(
  memoryBytes: number,
  read: ReadMemory = () => readMemory(memoryBytes),
): { readonly signal: AbortSignal; clear(): void } {
  const controller = new AbortController();
  const look = setInterval(() => {
    if (read().every(({ bytes, mostBytes }) => bytes < mostBytes * ENOUGH)) return;
    clearInterval(look);
    const detail = { bytes: memoryBytes };
    controller.abort(new SallyportError("limit.memory", "The session outgrew the memory of one.", detail));
  }, LOOK_EVERY_MS);
  return { signal: controller.signal, clear: () => clearInterval(look) };
}

function readMemory(memoryBytes: number): ReturnType<ReadMemory> {
  const { used_heap_size: used, heap_size_limit: most } = getHeapStatistics();
  return [
    { bytes: process.memoryUsage.rss(), mostBytes: memoryBytes },
    { bytes: used, mostBytes: most },
  ];
}
