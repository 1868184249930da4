/**
 * What a denial's line says was asked for is most of its bytes, and whoever sends requests chooses it: without a bound, denials by
 * the thousand would push what happened before out of a journal of limited size.
 */
import type { JournalFacts } from "./line.ts";

const DENIALS_PER_HOUR = 100;
const HOUR_MS = 3_600_000;

/** Leaves `asked` out of the denials after the hundredth of an hour; every other line passes as it is. */
export function createAskedBound(nowMs: () => number): (facts: JournalFacts) => JournalFacts {
  let hour = Number.NaN;
  let denials = 0;
  return (facts) => {
    if (facts.event !== "request" || facts.decision !== "deny") return facts;
    const now = Math.floor(nowMs() / HOUR_MS);
    denials = now === hour ? denials + 1 : 1;
    hour = now;
    const { asked: _asked, ...rest } = facts;
    return denials > DENIALS_PER_HOUR ? rest : facts;
  };
}
