/** What makes up for lost bells: every lane that has events has a due entry, and at its time it is rung for again. */
import type { LaneKey } from "../store/lanes.ts";
import type { Store } from "../store/open.ts";
import { isAhead } from "./deliver.ts";
import { type EmitDeps, ringSafely } from "./emit.ts";
import { LEAD_MS } from "./enter.ts";

export interface SweepDeps extends Pick<EmitDeps, "ring" | "log" | "now"> {
  readonly store: Pick<Store, "lanes">;
}

/** Entries of one partition that a sweep reads: what it does not get to, the next one does. */
const AT_ONCE = 200;

/** Rings for each lane whose time has come. Answers how many. */
export async function sweepLanes(deps: SweepDeps): Promise<{ readonly lanes: number }> {
  const { lanes } = deps.store;
  const entries = await lanes.due(deps.now().getTime(), AT_ONCE);
  const groups = Map.groupBy(entries, ({ tenant, webhook, lane }) => `${tenant}|${webhook}|${lane}`);
  let rung = 0;
  for (const same of groups.values()) {
    const key = { tenant: same[0]!.tenant, webhook: same[0]!.webhook, lane: same[0]!.lane };
    if (await lookAt(deps, key)) rung += 1;
    for (const entry of same) await lanes.removeDue(entry);
  }
  return { lanes: rung };
}

/** The next entry is written before the ones that led here are removed. */
async function lookAt(deps: SweepDeps, key: LaneKey): Promise<boolean> {
  const { lanes } = deps.store;
  const [front] = await lanes.items(key, 1);
  if (front === undefined) return false;
  const head = await lanes.head(key);
  const nowMs = deps.now().getTime();
  const { nextAt = null, heldUntil = null } = head?.value ?? {};
  const isFree = !isAhead(nextAt, nowMs) && !isAhead(heldUntil, nowMs);
  const times = [nextAt, heldUntil].map((at) => (at === null ? 0 : Date.parse(at)));
  await lanes.insertDue(key, Math.max(nowMs + LEAD_MS, ...times));
  if (isFree) await ringSafely(deps, key);
  return isFree;
}
