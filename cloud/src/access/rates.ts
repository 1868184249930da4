/**
 * How often a caller may call: a bucket of tokens for each, filled at a steady rate. Kept in this instance only: it protects
 * an instance from one caller's mistake, and adds no storage operation to a call.
 */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";

export interface RateSettings {
  readonly perSecond: number;
  /** Calls that may come at once after a pause. */
  readonly burst: number;
}

export interface Rates {
  /** Counts one call. @throws api.too_many_calls with the seconds to wait */
  count(caller: string): void;
}

export const DEFAULT_RATES: RateSettings = { perSecond: 50, burst: 500 };
/** Callers remembered at once; one that is forgotten has a full bucket again. */
const MOST_CALLERS = 10_000;

export function createRates({ perSecond, burst }: RateSettings, nowMs: () => number): Rates {
  const buckets = new Map<string, { left: number; atMs: number }>();
  return {
    count(caller) {
      const atMs = nowMs();
      const known = buckets.get(caller);
      const filled = known === undefined ? burst : known.left + ((atMs - known.atMs) / 1000) * perSecond;
      const left = Math.min(burst, filled) - 1;
      // A call that is refused takes nothing: who keeps calling is let in at the steady rate.
      buckets.delete(caller);
      buckets.set(caller, { left: left < 0 ? left + 1 : left, atMs });
      if (buckets.size > MOST_CALLERS) buckets.delete(buckets.keys().next().value!);
      if (left >= 0) return;
      const seconds = Math.max(1, Math.ceil(-left / perSecond));
      throw new SallyportError("api.too_many_calls", "This caller calls too often.", { seconds });
    },
  };
}
