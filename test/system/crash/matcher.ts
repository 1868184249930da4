import type { Seen, Step } from "./seen.ts";

/** Says yes to the `nth` request of a step. */
export function createMatcher(step: Step, nth: number): (seen: Seen) => boolean {
  let met = 0;
  return (seen) => {
    if (seen.step !== step) return false;
    met += 1;
    return met === nth;
  };
}
