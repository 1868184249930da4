/** Crashes drawn from a seed: the same seed gives the same kills to the same lanes. */
import { type Kill, setKill } from "./crash.ts";
import { runOnce } from "./drive.ts";
import type { Lane, Victim } from "./lane.ts";
import { seeded } from "./random.ts";

/** About as many requests as a run of one slice makes. */
const MOST_REQUESTS = 70;
const OTHERS: readonly Victim[] = ["executor", "supervisor", "relay", "queue"];
/** Of all kills; the others meet one of the other processes. */
const HOST_SHARE = 0.8;
/** How often a kill is followed by another one of the same run. */
const AGAIN_SHARE = 0.5;
const SLOW_SHARE = 0.2;
const MOST_ROWS = 200;

export interface DrawnKill extends Kill {
  /** Set as soon as the one before it has struck, and not for a later run. */
  readonly again: boolean;
}

export function drawKills(seed: number, kills: number): DrawnKill[] {
  const random = seeded(seed);
  return Array.from({ length: kills }, () => {
    const victim = random.next() < HOST_SHARE ? "host" : OTHERS[random.below(OTHERS.length)]!;
    const when = random.next() < 0.5 ? "before" : "after";
    return { victim, when, nth: 1 + random.below(MOST_REQUESTS), again: random.next() < AGAIN_SHARE };
  });
}

/** Kills that meet one run, one after the other; each list has at least one. */
export function burstsOf(kills: readonly DrawnKill[]): DrawnKill[][] {
  const bursts: DrawnKill[][] = [];
  for (const kill of kills) {
    const last = bursts.at(-1);
    if (kill.again && last) last.push(kill);
    else bursts.push([kill]);
  }
  return bursts;
}

/** One run after the other, each with its kills. One that a run has left over meets the next. */
export async function suffer(lane: Lane, kills: readonly DrawnKill[], seed: number, onKill: () => void): Promise<void> {
  const random = seeded(seed);
  const run = () => runOnce(lane, { slow: random.next() < SLOW_SHARE, rows: 20 + random.below(MOST_ROWS) });
  for (const burst of burstsOf(kills)) {
    let over = false;
    const striking = strike(lane, burst, onKill).finally(() => {
      over = true;
    });
    striking.catch(() => undefined); // reported below
    try {
      do await run();
      while (!over);
      await striking;
    } finally {
      lane.host.gate.clear();
    }
  }
}

async function strike(lane: Lane, kills: readonly DrawnKill[], onKill: () => void): Promise<void> {
  for (const kill of kills) {
    await setKill(lane, kill);
    onKill();
    if (kill.victim === "host") await lane.host.up();
  }
}
