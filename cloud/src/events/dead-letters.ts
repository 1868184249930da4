/** Events that were given up: looked at, and delivered once more when a person says so. */
import { SallyportError } from "@sallyport/shared/protocol/errors.ts";
import type { DeadLetterView } from "@sallyport/shared/schema/events.ts";
import { type DeadItem, insertItem, type LaneKey, type Numbered, removeOf, writeHead } from "../store/lanes.ts";
import type { Store } from "../store/open.ts";
import { type EmitDeps, ringSafely } from "./emit.ts";
import { LEAD_MS } from "./enter.ts";

export interface DeadLetterDeps extends Pick<EmitDeps, "ring" | "log" | "now"> {
  readonly store: Pick<Store, "lanes">;
}

const MOST = 200;

/** Of one webhook, or of all: at most 200, oldest first. */
export async function listDeadLetters(
  { store }: DeadLetterDeps,
  tenant: string,
  webhook: string | undefined,
): Promise<DeadLetterView[]> {
  const found = await store.lanes.deadOf(tenant, webhook, MOST);
  return found.map(viewOf).sort((a, b) => (a.event.time < b.event.time ? -1 : 1));
}

const viewOf = ({ webhook, lane, n, value }: Numbered<DeadItem> & Omit<LaneKey, "tenant">): DeadLetterView => ({
  ...{ id: `${lane}.${n}`, webhook, event: value.event },
  ...{ attempts: value.attempts, deadAt: value.deadAt, failure: value.failure },
});

/**
 * Puts a letter, or all that are listed, back at the end of its lane: it comes after what has happened since, with the id
 * that it had, and has another day. Answers how many. @throws api.not_found
 */
export async function replay(
  deps: DeadLetterDeps,
  tenant: string,
  webhook: string,
  id: string | undefined,
): Promise<{ replayed: number }> {
  if (id !== undefined) {
    const dot = id.lastIndexOf(".");
    const key = { tenant, webhook, lane: id.slice(0, dot) };
    if (!(await putBack(deps, key, Number(id.slice(dot + 1))))) {
      throw new SallyportError("api.not_found", "There is no such dead letter.", { id });
    }
    return { replayed: 1 };
  }
  let replayed = 0;
  for (const { lane, n } of await inOrder(deps, tenant, webhook)) {
    if (await putBack(deps, { tenant, webhook, lane }, n)) replayed += 1;
  }
  return { replayed };
}

const inOrder = async ({ store }: DeadLetterDeps, tenant: string, webhook: string) =>
  (await store.lanes.deadOf(tenant, webhook, MOST)).sort((a, b) => a.n - b.n);

async function putBack(deps: DeadLetterDeps, key: LaneKey, n: number): Promise<boolean> {
  const { lanes } = deps.store;
  for (let tried = 0; ; tried++) {
    const [dead, head] = await Promise.all([lanes.dead(key, n), lanes.head(key)]);
    // Refused, and gone now: it was put back, by the very change whose answer was lost and that was sent again, or by somebody else.
    if (dead === undefined || head === undefined) return tried > 0;
    await lanes.insertDue(key, deps.now().getTime() + LEAD_MS);
    const { next } = head.value;
    const done = await lanes.commit(key, [
      // A person expects it now, whatever the lane waited for.
      writeHead({ ...head.value, next: next + 1, nextAt: null }, head.etag),
      removeOf(dead.row),
      insertItem(next, { event: dead.value.event, at: deps.now().toISOString() }),
    ]);
    if (!done.ok) continue;
    await ringSafely(deps, key);
    return true;
  }
}
