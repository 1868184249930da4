/**
 * Telling the world: an event is kept for those who ask later, entered for each webhook that wants it, and sent to the
 * topic. All of it may be done again, with the same event, until it was done once to its end.
 */
import type { CloudEvent } from "@sallyport/shared/schema/events.ts";
import { type LaneKey, laneOf } from "../store/lanes.ts";
import type { Store } from "../store/open.ts";
import { type EnterDeps, enter } from "./enter.ts";

/** Rings for a lane, not before `atMs` (now when left out). A message that is lost is made up for by the sweep. */
export type RingLane = (key: LaneKey, atMs?: number) => Promise<void>;
/** Sends to the topic. Throws when it does not answer. */
export type Publish = (tenant: string, event: CloudEvent) => Promise<void>;

export interface EmitDeps extends EnterDeps {
  readonly store: Pick<Store, "events" | "webhooks">;
  readonly ring: RingLane;
  readonly publish: Publish;
  readonly log: (what: string, facts: Readonly<Record<string, unknown>>) => void;
}

/** Delivers nothing itself, so that no receiver can hold up a run. Throws when it was not done: it is to be told again. */
export type Emit = (tenant: string, event: CloudEvent) => Promise<void>;

const KEPT_MS = 30 * 86_400_000;
/** Rows that one event takes away of those that are too old: more than come in, so that they all go in the end. */
const FORGOTTEN = 3;

export const createEmit =
  (deps: EmitDeps): Emit =>
  async (tenant, event) => {
    const { store, log } = deps;
    await store.events.insert(tenant, event);
    for (const { row, value } of await store.webhooks.list(tenant)) {
      if (value.types !== null && !value.types.includes(event.type)) continue;
      // A test is for the webhook that it names.
      if (event.type === "sallyport.webhook.test" && event.subject !== `webhooks/${row.row}`) continue;
      const key = { tenant, webhook: row.row, lane: laneOf(event.subject) };
      if (await enter(deps, key, event)) await ringSafely(deps, key);
    }
    await deps.publish(tenant, event);
    log(event.id, { tenant, type: event.type, subject: event.subject, ...event.data });
    await store.events.forget(tenant, deps.now().getTime() - KEPT_MS, FORGOTTEN).catch((thrown: unknown) => {
      log("old events not deleted", { tenant, error: String(thrown) });
    });
  };

/** The bell is a hint: the lane's due entry stands. */
export async function ringSafely(
  { ring, log }: Pick<EmitDeps, "ring" | "log">,
  key: LaneKey,
  atMs?: number,
): Promise<void> {
  await ring(key, atMs).catch((thrown: unknown) => log("lane not rung", { ...key, error: String(thrown) }));
}
