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
  /**
   * Runs `work` unless one of the keys had too many refusals lately; a refusal by it counts.
   * @throws enrolment.too_many_tries, and what `work` throws
   */
  limit<T>(keys: readonly string[], work: () => Promise<T>): Promise<T>;
}

export function createTries(nowMs: () => number): Tries {
  const seen = new Map<string, number[]>();
  const recent = (key: string) => (seen.get(key) ?? []).filter((at) => nowMs() - at < SPAN_MS);
  const note = (key: string) => {
    const times = [...recent(key), nowMs()];
    seen.delete(key);
    seen.set(key, times);
  };
  return {
    limit: async (given, work) => {
      const keys = given.filter((key) => key !== "");
      if (keys.some((key) => recent(key).length >= MOST_TRIES)) {
        throw new SallyportError("enrolment.too_many_tries", "Too many wrong enrolment codes in a minute.", {
          seconds: SPAN_MS / 1000,
        });
      }
      try {
        return await work();
      } catch (thrown) {
        if (thrown instanceof SallyportError && thrown.code === "enrolment.refused") for (const key of keys) note(key);
        while (seen.size > MOST_KEYS) seen.delete(seen.keys().next().value!);
        throw thrown;
      }
    },
  };
}
