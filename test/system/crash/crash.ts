/** One crash, designed or drawn: a trap in the host's gate that kills whom it says. */
import type { Case } from "./cases.ts";
import type { When } from "./gate.ts";
import type { Lane, Victim } from "./lane.ts";
import { createMatcher } from "./matcher.ts";
import type { Seen } from "./seen.ts";

export interface Kill {
  readonly victim: Victim;
  readonly when: When;
  /** At which request of the host, counted from when the trap was set. */
  readonly nth: number;
}

/** Sets the trap of a designed case. Resolves when it was sprung and the victim is dead. */
export const setCase = (lane: Lane, { victim, step, when, nth = 1 }: Case): Promise<Seen> =>
  lane.host.gate.set({ when, matches: createMatcher(step, nth), spring: () => spring(lane, victim) });

/** The same for a drawn kill. */
export const setKill = (lane: Lane, { victim, when, nth }: Kill): Promise<Seen> =>
  lane.host.gate.set({ when, matches: (_, count) => count >= nth, spring: () => spring(lane, victim) });

async function spring(lane: Lane, victim: Victim): Promise<"go" | "drop"> {
  await lane.kill(victim);
  // Everyone else's death leaves the host alive, and its request on its way.
  return victim === "host" ? "drop" : "go";
}
