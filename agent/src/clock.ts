/** The one source of waiting and of time; tests pass their own. */
import { setTimeout as delay } from "node:timers/promises";

export interface Clock {
  /** Milliseconds since 1970 by the machine's clock: for people and for token times. */
  wallMs(): number;
  /** Milliseconds that only go forward: for every deadline. */
  monotonicMs(): number;
  /**
   * Resolves after `ms`; rejects with the signal's reason when it is aborted first, and with a RangeError above
   * 2^31 - 1 ms (25 days): a timer would fire at once.
   */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** Node's own limit (https://nodejs.org/api/timers.html#settimeoutcallback-delay-args). */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  wallMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: async (ms, signal) => {
    if (!(ms <= LONGEST_TIMER_MS)) throw new RangeError(`no timer waits ${ms} ms`);
    await delay(ms, undefined, { signal, ref: true });
  },
};

/** Waits for the work, at most so many milliseconds; which of them it was, is not told. @throws what the work rejects with */
export async function within(work: Promise<void>, ms: number, clock: Clock): Promise<void> {
  const enough = new AbortController();
  await Promise.race([work, clock.sleep(ms, enough.signal).catch(() => {})]);
  enough.abort();
}
