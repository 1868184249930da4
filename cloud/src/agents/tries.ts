/**
 * Slows down guessing: ten wrong tries of a code, or from an address, in a minute are the most. Counted in this instance
 * only: a code's secret has 100 random bits, so this keeps logs and storage quiet, it is not what protects a code.
 */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";

const MOST_TRIES = 10;
const SPAN_MS = 60_000;
/** Keys remembered at once; the oldest go first. */
const MOST_KEYS = 10_000;

export interface Tries {
  /** @throws enrolment.too_many_tries */
  check(keys: readonly string[], nowMs: number): void;
  wrong(keys: readonly string[], nowMs: number): void;
}

export function createTries(): Tries {
  const seen = new Map<string, number[]>();
  const recent = (key: string, nowMs: number) => (seen.get(key) ?? []).filter((at) => nowMs - at < SPAN_MS);
  return {
    check: (keys, nowMs) => {
      if (keys.some((key) => recent(key, nowMs).length >= MOST_TRIES)) {
        throw new SallyportError("enrolment.too_many_tries", "Too many wrong enrolment codes in a minute.", {
          seconds: SPAN_MS / 1000,
        });
      }
    },
    wrong: (keys, nowMs) => {
      for (const key of keys) {
        const times = [...recent(key, nowMs), nowMs];
        seen.delete(key);
        seen.set(key, times);
      }
      while (seen.size > MOST_KEYS) seen.delete(seen.keys().next().value!);
    },
  };
}
