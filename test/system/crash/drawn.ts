/** Crashes drawn from a seed: the same seed gives the same kills to the same lanes. */
import { type Kill, setKill } from "./crash.ts";
import { quiet, runOnce } from "./drive.ts";
import type { Lane, Victim } from "./lane.ts";
import { seeded } from "./random.ts";

/** About as many requests as a run of one slice makes. */
const MOST_REQUESTS = 70;
const OTHERS: readonly Victim[] = ["executor", "supervisor", "relay", "queue"];
/** Of all kills; the others meet one of the other processes. */
const HOST_SHARE = 0.8;
const SLOW_SHARE = 0.2;
const MOST_ROWS = 200;

export function drawKills(seed: number, kills: number): Kill[] {
  const random = seeded(seed);
  return Array.from({ length: kills }, () => {
    const victim = random.next() < HOST_SHARE ? "host" : OTHERS[random.below(OTHERS.length)]!;
    return { victim, when: random.next() < 0.5 ? "before" : "after", nth: 1 + random.below(MOST_REQUESTS) };
  });
}

/** One run after the other while the kills strike, each set as soon as the one before has struck. Answers how many runs. */
export async function suffer(lane: Lane, kills: readonly Kill[], seed: number, onKill: () => void): Promise<number> {
  const random = seeded(seed);
  let left = kills.length;
  const striking = (async () => {
    for (const kill of kills) {
      await setKill(lane, kill);
      left -= 1;
      onKill();
      if (kill.victim === "host") await lane.host.up();
    }
  })();
  let runs = 0;
  try {
    while (left > 0) {
      await runOnce(lane, { slow: random.next() < SLOW_SHARE, rows: 20 + random.below(MOST_ROWS) });
      runs += 1;
    }
    await striking;
  } finally {
    lane.host.gate.clear();
  }
  await quiet(lane);
  return runs;
}
