/** A clock that stands still until the test moves it. */
import type { Clock } from "@sallyport/agent/src/clock.ts";

export interface HandClock {
  readonly clock: Clock;
  /**
   * Moves it, ending in order the waits that are over by then; each has a turn of the event loop. `settle`: what must have
   * really happened before the clock goes on from there.
   */
  pass(ms: number, settle?: () => Promise<void>): Promise<void>;
}

/** @param startMs what the wall clock says at first */
export function makeClock(startMs: number = Date.now()): HandClock {
  let nowMs = 0;
  const waits = new Set<{ atMs: number; go: () => void }>();
  const clock: Clock = {
    wallMs: () => startMs + nowMs,
    monotonicMs: () => nowMs,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason);
        const wait = { atMs: nowMs + ms, go: () => resolve() };
        waits.add(wait);
        signal.addEventListener("abort", () => {
          waits.delete(wait);
          reject(signal.reason);
        });
      }),
  };
  const pass: HandClock["pass"] = async (ms, settle = async () => {}) => {
    const untilMs = nowMs + ms;
    for (;;) {
      const next = [...waits].filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (next === undefined) break;
      nowMs = next.atMs;
      waits.delete(next);
      next.go();
      await new Promise(setImmediate);
      await settle();
    }
    nowMs = untilMs;
  };
  return { clock, pass };
}
