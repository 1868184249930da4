import { createHeap } from "./heap.ts";

/** The only source of time and of waiting in the broker. */
export type Clock = {
  /** Milliseconds since 1970. */
  now(): number;
  /** Runs `wake` once, at `dueMs` or as soon after as possible. Answers how to call it off. */
  at(dueMs: number, wake: () => void): () => void;
  /** Forgets everything that is still due. */
  stop(): void;
};

/** What a clock stands on: the real timers, or a test's own. */
export type Ticker = {
  now(): number;
  /** One timer at a time. Answers how to cancel it. */
  after(delayMs: number, run: () => void): () => void;
};

// Node fires a timer at once when its delay does not fit in 31 bits, so a message that lives for a
// year must not become a delay of a year.
const LONGEST_DELAY_MS = 2 ** 31 - 1;

/** A clock for any number of due times on a single timer of the ticker. */
export function createClock(ticker: Ticker): Clock {
  const due = createHeap<{ dueMs: number; wake: () => void }>((a, b) => a.dueMs < b.dueMs);
  let armedForMs = Infinity;
  let disarm = () => {};

  const arm = () => {
    const nextMs = due.first()?.dueMs ?? Infinity;
    if (nextMs === armedForMs) return;
    disarm();
    armedForMs = nextMs;
    disarm =
      nextMs === Infinity
        ? () => {}
        : ticker.after(Math.min(Math.max(nextMs - ticker.now(), 0), LONGEST_DELAY_MS), ring);
  };

  const ring = () => {
    armedForMs = Infinity;
    disarm = () => {};
    while ((due.first()?.dueMs ?? Infinity) <= ticker.now()) due.shift()!.wake();
    arm();
  };

  return {
    now: ticker.now,
    at(dueMs, wake) {
      const entry = due.push({ dueMs, wake });
      arm();
      return () => {
        due.remove(entry);
        arm();
      };
    },
    stop() {
      while (due.size() > 0) due.shift();
      arm();
    },
  };
}

/** The machine's own time. */
export function systemClock(): Clock {
  return createClock({
    now: Date.now,
    after(delayMs, run) {
      const timer = setTimeout(run, delayMs);
      return () => clearTimeout(timer);
    },
  });
}

/** A clock that stands still until it is advanced, for tests. */
export function manualClock(startMs = 1_700_000_000_000): { clock: Clock; advance(ms: number): void } {
  let nowMs = startMs;
  let pending: { dueMs: number; run: () => void } | undefined;
  const clock = createClock({
    now: () => nowMs,
    after(delayMs, run) {
      const mine = { dueMs: nowMs + delayMs, run };
      pending = mine;
      return () => {
        if (pending === mine) pending = undefined;
      };
    },
  });
  return {
    clock,
    advance(ms) {
      const untilMs = nowMs + ms;
      while (pending && pending.dueMs <= untilMs) {
        const { dueMs, run } = pending;
        nowMs = Math.max(nowMs, dueMs);
        pending = undefined;
        run();
      }
      nowMs = untilMs;
    },
  };
}
