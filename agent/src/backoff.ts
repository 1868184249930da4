/** Full-jitter backoff: each wait is drawn from 0 to a ceiling that doubles, so that many agents do not come at once. */
export interface Backoff {
  /** The next wait in milliseconds; raises the ceiling. */
  nextMs(): number;
  /** Back to the first ceiling. */
  reset(): void;
}

/**
 * @param minMs the first ceiling, and never less than a tenth of it is waited, so that no loop spins
 * @param random a number from 0 (included) to 1 (excluded)
 */
export function createBackoff(minMs: number, maxMs: number, random: () => number = Math.random): Backoff {
  let ceilingMs = minMs;
  return {
    nextMs() {
      const waitMs = Math.max(minMs / 10, random() * ceilingMs);
      ceilingMs = Math.min(maxMs, ceilingMs * 2);
      return waitMs;
    },
    reset() {
      ceilingMs = minMs;
    },
  };
}
