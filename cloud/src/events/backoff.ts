/** When a webhook that failed is tried again. Pure. */

export interface Backoff {
  /** After the first failure; it doubles with each further one. */
  readonly firstSeconds: number;
  readonly mostSeconds: number;
}

/** 5 s, 10 s, 20 s and so on to an hour: 33 tries in a day. */
export const DEFAULT_BACKOFF: Backoff = { firstSeconds: 5, mostSeconds: 3600 };

/**
 * @param failures in a row, this one included
 * @param luck from 0 to 1: takes up to a quarter off, so that many that failed together do not come back together
 * @param retryAfterMs what the receiver asked for; never earlier than that
 */
export function whenAgain(backoff: Backoff, failures: number, nowMs: number, luck: number, retryAfterMs = 0): number {
  const { firstSeconds, mostSeconds } = backoff;
  const seconds = Math.min(firstSeconds * 2 ** Math.min(failures - 1, 30), mostSeconds);
  return nowMs + Math.max(seconds * 1000 * (1 - luck / 4), retryAfterMs);
}
