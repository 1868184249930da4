/** Entering an event into a webhook's lane: once, however often it is told. */
import type { CloudEvent } from "@sallyport/shared/schema/events.ts";
import { eventDigest } from "../store/events.ts";
import { insertItem, insertSeen, type LaneHead, type LaneKey, type LaneStore, writeHead } from "../store/lanes.ts";

export interface EnterDeps {
  readonly lanes: LaneStore;
  now(): Date;
  /** Milliseconds since some moment; never steps back. */
  monotonic(): number;
}

const EMPTY: LaneHead = { next: 1, failures: 0, attempts: 0, nextAt: null, holder: "", heldUntil: null };
/** Before this, nobody looks at a lane because of its new event: it is rung for. And so long may entering take, at most half of it. */
export const LEAD_MS = 60_000;
const TRIES = 20;

/** False when the event was entered before. Throws when the table does not answer, and when others are faster for too long. */
export async function enter(deps: EnterDeps, key: LaneKey, event: CloudEvent): Promise<boolean> {
  const { lanes } = deps;
  const digest = eventDigest(event);
  let dueAt = Number.NEGATIVE_INFINITY;
  for (let tried = 0; tried < TRIES; tried++) {
    if (await lanes.seen(key, digest)) return false;
    // First the hint, then what it serves; anew where the last one could be used up before this lands.
    if (deps.monotonic() - dueAt > LEAD_MS / 2) {
      dueAt = deps.monotonic();
      await lanes.insertDue(key, deps.now().getTime() + LEAD_MS);
    }
    if (await append(deps, key, event, digest)) return true;
  }
  throw new Error("a lane is being changed by others all the time");
}

async function append({ lanes, now }: EnterDeps, key: LaneKey, event: CloudEvent, digest: string): Promise<boolean> {
  const head = await lanes.head(key);
  const value = head?.value ?? EMPTY;
  const written = await lanes.commit(key, [
    writeHead({ ...value, next: value.next + 1 }, head?.etag),
    insertItem(value.next, { event, at: now().toISOString() }),
    insertSeen(digest),
  ]);
  return written.ok;
}
